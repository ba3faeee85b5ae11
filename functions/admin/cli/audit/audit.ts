/**
Audit: `sluice audit list|show`, who changed what, with what was before and after. `--follow` goes on with what comes.

Newest first; with --follow the other way round, as lines of a log.
*/
import type {Command} from 'commander';
import type {Surroundings} from '../program.ts';
import type {Client, Item} from '../shell/client.ts';
import {
  type Context,
  type Format,
  formatOf,
  showItem,
  showList,
  withFormat,
} from '../shell/context.ts';
import {follow} from '../shell/follow.ts';
import {wholeNumber} from '../shell/numbers.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from '../tenants/org.ts';
import {told} from '../tenants/rate-options.ts';
import {auditColumns, auditCsvColumns, entryText, line} from './audit-text.ts';

type Filters = Readonly<{
  org?: string;
  actor?: string;
  operation?: string;
  subjectKind?: string;
  subject?: string;
  from?: string;
  to?: string;
}>;
type Options = Format & Filters & Readonly<{limit: string; follow?: boolean}>;
type Answer = Readonly<{data: Item[]; next?: string}>;

const itemColumns: readonly Column[] = [
  {name: 'id'},
  {name: 'at'},
  {name: 'by', value: ({actor}) => `${(actor as Item).kind} ${(actor as Item).name}`},
  {name: 'operation'},
  {name: 'subject', value: item => `${item.subjectKind} ${item.subject}`},
  {name: 'org'},
  {name: 'request'},
  {name: 'from', value: item => item.clientAddress},
];

export const auditCommand = (program: Command, context: Context, surroundings: Surroundings) => {
  const audit = program.command('audit').description('who changed what, and what was there before');

  withFormat(audit.command('list', {isDefault: true}))
    .description('the changes of an organisation, or of all of them for the operator')
    .option('--org <name-or-id>', 'of this one only')
    .option('--actor <who>', 'an e-mail address, a key’s name, or an id')
    .option('--operation <name>', 'such as changeBudget')
    .option('--subject-kind <kind>', 'org, project, key, budget, model, user, member and so on')
    .option('--subject <id>', 'one thing that was changed')
    .option('--from <instant>', 'a date or an RFC 3339 instant')
    .option('--to <instant>', 'the first instant after; now where absent')
    .option('--limit <number>', 'the most entries', '50')
    .option('--follow', 'oldest first, and then whatever comes, until it is interrupted')
    .action(async ({json, csv, ...options}: Options) => {
      const client = context.client();
      const query = await queryOf(client, options);
      if (options.follow) {
        await followAudit(context, surroundings, {json, csv}, query);
        return;
      }
      const answer = await client.get<Answer>('/audit', query);
      const columns = formatOf(context, {json, csv}) === 'csv' ? auditCsvColumns : auditColumns;
      showList(context, {json, csv}, {columns, items: answer.data, answer});
      if (answer.next !== undefined && formatOf(context, {json, csv}) === 'table') {
        context.err('there is more: give filters or a higher --limit\n');
      }
    });

  withFormat(audit.command('show <id>'))
    .description('one change, field by field')
    .action(async (id: string, format: Format) => {
      const item = await context.client().get(`/audit/${encodeURIComponent(id)}`);
      showItem(context, format, {columns: told(itemColumns, format, item), item});
      if (formatOf(context, format) === 'table' && !context.globals().quiet) {
        context.out(entryText(item));
      }
    });
};

const queryOf = async (
  client: Client,
  {org, limit, follow: _, ...filters}: Omit<Options, keyof Format>,
) => ({
  ...filters,
  ...(org === undefined ? {} : {org: await findOrg(client, org)}),
  limit: String(wholeNumber('--limit', limit)),
});

const followAudit = (
  context: Context,
  surroundings: Surroundings,
  format: Format,
  query: Readonly<Record<string, string | undefined>>,
) => {
  const client = context.client();
  const output = formatOf(context, format);
  return follow({
    look: async () => (await client.get<Answer>('/audit', query)).data.toReversed(),
    show: item => context.out(output === 'json' ? `${JSON.stringify(item)}\n` : line(item)),
    surroundings,
  });
};
