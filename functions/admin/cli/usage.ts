/** Usage: `sluice usage`, sums of requests, tokens and cost. */
import type {Command} from 'commander';
import type {Item} from './client.ts';
import {type Context, type Format, showList, withFormat} from './context.ts';
import {findOrg} from './org.ts';
import type {Column} from './table.ts';

type Options = Format &
  Readonly<{
    org?: string;
    project?: string;
    key?: string;
    model?: string;
    environment?: string;
    from?: string;
    to?: string;
    groupBy?: string;
    granularity?: string;
  }>;
type Answer = Readonly<{data: Item[]; granularity: string; truncated?: boolean}>;

const figures: readonly Column[] = [
  'requests',
  'failed',
  'inputTokens',
  'cachedInputTokens',
  'outputTokens',
  'cost',
].map(name => ({name, right: true}));

export const usageCommand = (program: Command, context: Context): Command =>
  withFormat(program.command('usage'))
    .description('requests, tokens and cost of an organisation, this month unless said')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--project <id>', 'of this project only')
    .option('--key <id>', 'of this key only')
    .option('--model <name>', 'of this model only')
    .option('--environment <name>', 'development, staging or production')
    .option('--from <instant>', 'a date or an RFC 3339 instant')
    .option('--to <instant>', 'the first instant after; now where absent')
    .option('--group-by <list>', 'some of project,key,model,endpoint,environment', 'model')
    .option('--granularity <name>', 'hour, day, month or total', 'total')
    .action(async ({json, csv, org, groupBy, ...query}: Options) => {
      const client = context.client();
      const answer = await client.get<Answer>('/usage', {
        ...query,
        org: await findOrg(client, org),
        groupBy,
      });
      const groups = groupBy?.split(',').map(name => name.trim()) ?? [];
      const columns: Column[] = [
        ...(answer.granularity === 'total' ? [] : [{name: 'start'}]),
        ...groups.filter(name => name !== '').map(name => ({name})),
        ...figures,
      ];
      showList(context, {json, csv}, {columns, items: answer.data, answer});
      if (answer.truncated) {
        context.err('there is more: ask for a shorter time or fewer groups\n');
      }
    });
