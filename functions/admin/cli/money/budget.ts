/** Budget: `sluice budget list|show|create|set`; `top-up.ts` adds the rest. */
import type {Command} from 'commander';
import type {Client, Item} from '../shell/client.ts';
import {type Context, type Format, showItem, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {findKey, findProject} from '../shell/find.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from '../tenants/org.ts';
import {topUpCommands} from './top-up.ts';

const ownerOf = (item: Item) =>
  item.key ? `key ${item.key}` : item.project ? `project ${item.project}` : 'organisation';
const window = (item: Item) => item.window as {id: string; start: string; end: string} | null;

const listColumns: readonly Column[] = [
  {name: 'id'},
  {name: 'of', value: ownerOf},
  {name: 'unit'},
  {name: 'period'},
  {name: 'limit', right: true},
  {name: 'spent', right: true},
  {name: 'leased', right: true},
  {name: 'remaining', right: true},
  {name: 'available', right: true},
  {name: 'paused', value: item => (item.paused ? 'yes' : 'no')},
];
const itemColumns: readonly Column[] = [
  ...listColumns.slice(0, 4),
  {name: 'timeZone'},
  {name: 'thresholds', value: item => `${(item.thresholds as number[]).join('%, ')}%`},
  {name: 'limit', right: true},
  {name: 'toppedUp'},
  {name: 'spent', right: true},
  {name: 'overage'},
  ...listColumns.slice(6),
  {name: 'start', value: item => window(item)?.start},
  {name: 'end', value: item => window(item)?.end},
];

type CreateOptions = Format &
  Readonly<{
    org?: string;
    project?: string;
    key?: string;
    unit: string;
    limit: string;
    period: string;
    timeZone?: string;
    thresholds?: string;
  }>;
type SetOptions = Format &
  Readonly<{limit?: string; thresholds?: string; pause?: boolean; resume?: boolean}>;

export const budgetCommand = (program: Command, context: Context) => {
  const budget = program.command('budget').description('what may be spent, and what is');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: itemColumns, item});

  withFormat(budget.command('list', {isDefault: true}))
    .description('the budgets of an organisation, of its projects and keys')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .action(async ({org, ...format}: Format & {org?: string}) => {
      const client = context.client();
      const items = await client.list('/budgets', {org: await findOrg(client, org)});
      showList(context, format, {columns: listColumns, items, answer: {data: items}});
    });

  withFormat(budget.command('show <id>'))
    .description('one budget')
    .action(async (id: string, format: Format) =>
      show(format, await context.client().get(`/budgets/${encodeURIComponent(id)}`)),
    );

  withFormat(budget.command('create'))
    .description('limits an organisation, a project or a key')
    .option('--org <name-or-id>', 'of an organisation as a whole')
    .option('--project <name-or-id>', 'of a project')
    .option('--key <name-or-id>', 'of a key')
    .requiredOption('--limit <amount>', 'USD such as 5.00, tokens or GPU milliseconds')
    .option('--unit <unit>', 'usd, tokens or gpu_ms', 'usd')
    .option('--period <period>', 'day, week, month or none', 'month')
    .option('--time-zone <name>', 'such as Europe/Berlin; UTC where absent')
    .option('--thresholds <list>', 'per cent at which an event is sent, such as 50,80,100')
    .action(async ({json, csv, ...options}: CreateOptions) =>
      show({json, csv}, await create(context, options)),
    );

  withFormat(budget.command('set <id>'))
    .description('changes a limit or thresholds, pauses or resumes')
    .option('--limit <amount>', 'USD such as 5.00, tokens or GPU milliseconds')
    .option('--thresholds <list>', 'per cent, such as 50,80,100')
    .option('--pause', 'grant nothing')
    .option('--resume', 'grant again')
    .action(async (id: string, {json, csv, ...options}: SetOptions) => {
      const path = `/budgets/${encodeURIComponent(id)}`;
      show({json, csv}, await context.client().send('PATCH', path, toChange(options)));
    });

  topUpCommands(budget, context);
};

const toChange = ({limit, thresholds, pause, resume}: Omit<SetOptions, keyof Format>) => {
  if ((pause && resume) || !(limit !== undefined || thresholds !== undefined || pause || resume)) {
    throw new Failure('usage', 'give --limit, --thresholds, --pause or --resume');
  }
  return {
    ...(limit === undefined ? {} : {limit}),
    ...(thresholds === undefined ? {} : {thresholds: toNumbers(thresholds)}),
    ...(pause || resume ? {paused: Boolean(pause)} : {}),
  };
};

const toNumbers = (list: string) => list.split(',').map(Number);

const create = async (
  context: Context,
  {org, project, key, thresholds, ...options}: CreateOptions,
) => {
  if ([org, project, key].filter(owner => owner !== undefined).length !== 1) {
    throw new Failure('usage', 'give one of --org, --project and --key');
  }
  const client = context.client();
  return client.send('POST', '/budgets', {
    ...options,
    ...(await ownerOfNew(client, {org, project, key})),
    ...(thresholds === undefined ? {} : {thresholds: toNumbers(thresholds)}),
  });
};

const ownerOfNew = async (
  client: Client,
  {org, project, key}: Pick<CreateOptions, 'org' | 'project' | 'key'>,
) => {
  if (org !== undefined) {
    return {org: await findOrg(client, org)};
  }
  return project === undefined
    ? {key: await findKey(client, String(key))}
    : {project: await findProject(client, project)};
};
