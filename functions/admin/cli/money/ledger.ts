/** Ledger: `sluice ledger`, what was charged for a request or in an organisation. */
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from '../tenants/org.ts';

type Options = Format &
  Readonly<{request?: string; org?: string; from?: string; to?: string; limit?: string}>;
type Answer = Readonly<{data: Item[]; next?: string}>;

const columns: readonly Column[] = [
  {name: 'at'},
  {name: 'request'},
  {name: 'entry'},
  {name: 'model'},
  {name: 'input', value: item => item.inputTokens, right: true},
  {name: 'cached', value: item => item.cachedInputTokens, right: true},
  {name: 'output', value: item => item.outputTokens, right: true},
  {name: 'cost', right: true},
  {name: 'outcome'},
  {name: 'estimated', value: item => (item.estimated ? 'yes' : 'no')},
];

export const ledgerCommand = (program: Command, context: Context) => {
  withFormat(program.command('ledger'))
    .description('what was charged, newest first')
    .option('--request <id>', 'one request, by its x-request-id')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--from <instant>', 'a date or an RFC 3339 instant')
    .option('--to <instant>', 'the first instant after; now where absent')
    .option('--limit <number>', 'the most entries', '100')
    .action(async ({json, csv, org, request, ...query}: Options) => {
      const client = context.client();
      const owner =
        request !== undefined && org === undefined ? undefined : await findOrg(client, org);
      const answer = await client.get<Answer>('/ledger', {...query, request, org: owner});
      if (request !== undefined && answer.data.length === 0) {
        throw new Failure(
          'notFound',
          `nothing was charged for ${request}: it is not settled yet, or there was none`,
        );
      }
      showList(context, {json, csv}, {columns, items: answer.data, answer});
      if (answer.next !== undefined) {
        context.err('there is more: give --to or a higher --limit\n');
      }
    });
};
