/** Usage: `sluice usage`, sums of requests, tokens and cost. */
import type {Command} from 'commander';
import type {Client, Item} from '../shell/client.ts';
import {type Context, type Format, showList, withFormat} from '../shell/context.ts';
import {findKey, findProject} from '../shell/find.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from '../tenants/org.ts';

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

/** A name of a project or a key is looked for in the organisation. */
export const usageOwner = async (
  client: Client,
  {org, project, key}: Pick<Options, 'org' | 'project' | 'key'>,
) => {
  const owner = await findOrg(client, org);
  return {
    org: owner,
    ...(project === undefined ? {} : {project: await findProject(client, project, {org: owner})}),
    ...(key === undefined ? {} : {key: await findKey(client, key, {org: owner})}),
  };
};

export const usageCommand = (program: Command, context: Context): Command =>
  withFormat(program.command('usage'))
    .description('requests, tokens and cost of an organisation, this month unless said')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--project <name-or-id>', 'of this project only')
    .option('--key <name-or-id>', 'of this key only')
    .option('--model <name>', 'of this model only')
    .option('--environment <name>', 'development, staging or production')
    .option('--from <instant>', 'a date or an RFC 3339 instant')
    .option('--to <instant>', 'the first instant after; now where absent')
    .option('--group-by <list>', 'some of project,key,model,endpoint,environment', 'model')
    .option('--granularity <name>', 'hour, day, month or total', 'total')
    .action(async ({json, csv, org, project, key, groupBy, ...query}: Options) => {
      const client = context.client();
      const answer = await client.get<Answer>('/usage', {
        ...query,
        ...(await usageOwner(client, {org, project, key})),
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
