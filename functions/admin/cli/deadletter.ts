/** Deadletter: `sluice deadletter list|show|redrive|drop`. One by its id, or many by filters. */
import type {Command} from 'commander';
import type {Client, Item} from './shell/client.ts';
import {type Context, type Format, showItem, showList, withFormat} from './shell/context.ts';
import {Failure} from './shell/failure.ts';
import type {Column} from './shell/table.ts';
import {findOrg} from './tenants/org.ts';

type Filters = Readonly<{org?: string; subscription?: string; type?: string; since?: string}>;
type ListOptions = Format & Filters & Readonly<{state?: string; limit?: string}>;
type ActOptions = Format & Filters & Readonly<{all?: boolean; dryRun?: boolean; yes?: boolean}>;
type Answer = Readonly<{data: Item[]; next?: string}>;
type Done = Readonly<{
  dryRun: boolean;
  count: number;
  refused: number;
  ids: readonly string[];
  more: boolean;
}>;
type Act = 'redrive' | 'drop';

const listColumns: readonly Column[] = [
  {name: 'id'},
  {name: 'deadAt'},
  {name: 'state'},
  {name: 'subscription'},
  {name: 'type'},
  {name: 'attempts', right: true},
  {name: 'reason'},
];
const itemColumns: readonly Column[] = [
  ...listColumns,
  {name: 'org'},
  {name: 'destination'},
  {name: 'origin'},
  {name: 'proved', value: item => (item.proved ? 'yes' : 'no')},
  {name: 'source'},
  {name: 'eventId'},
  {name: 'status'},
  {name: 'errorData'},
  {name: 'redrivenAt'},
  {name: 'droppedAt'},
  {name: 'event', value: ({event}) => (event === undefined ? undefined : JSON.stringify(event))},
];
const doneColumns: readonly Column[] = [{name: 'dryRun'}, {name: 'count'}, {name: 'refused'}];

const withFilters = (command: Command) =>
  command
    .option('--org <name-or-id>', 'those of one organisation')
    .option('--subscription <name>', 'of one Trigger or consumer, such as trigger/sluice/NAME')
    .option('--type <type>', 'with events of one type')
    .option('--since <instant>', 'a date or an RFC 3339 instant');

const filtersOf = async (client: Client, {org, subscription, type, since}: Filters) => ({
  ...(org === undefined ? {} : {org: await findOrg(client, org)}),
  ...(subscription === undefined ? {} : {subscription}),
  ...(type === undefined ? {} : {type}),
  ...(since === undefined ? {} : {since}),
});

export const deadLetterCommand = (program: Command, context: Context) => {
  const deadLetter = program
    .command('deadletter')
    .description('events that could not be handled or delivered');

  withFilters(withFormat(deadLetter.command('list', {isDefault: true})))
    .description('newest first, without what was in them')
    .option('--state <state>', 'waiting, redriven or dropped', 'waiting')
    .option('--limit <number>', 'the most letters', '100')
    .action(async ({state, limit, json, csv, ...filters}: ListOptions) => {
      const client = context.client();
      const query = {...(await filtersOf(client, filters)), state, limit};
      const answer = await client.get<Answer>('/dead-letters', query);
      showList(context, {json, csv}, {columns: listColumns, items: answer.data, answer});
      if (answer.next) {
        context.err('there is more: give filters or a higher --limit\n');
      }
    });

  withFormat(deadLetter.command('show <id>'))
    .description('one, with its event')
    .action(async (id: string, format: Format) => {
      const item = await context.client().get(`/dead-letters/${encodeURIComponent(id)}`);
      showItem(context, format, {columns: itemColumns, item});
    });

  for (const [act, text] of [
    ['redrive', 'publishes events again where they came from, each letter once'],
    ['drop', 'gives events up; that they were stays, what was in them goes'],
  ] as const) {
    withFilters(withFormat(deadLetter.command(`${act} [id]`)))
      .description(text)
      .option('--all', 'all that wait, without a filter')
      .option('--dry-run', 'only say how many')
      .option('--yes', 'many at once are meant')
      .action(async (id: string | undefined, options: ActOptions) => {
        await (id === undefined
          ? actOnMany(context, act, options)
          : actOnOne(context, act, id, options));
      });
  }
};

const actOnOne = async (context: Context, act: Act, id: string, options: ActOptions) => {
  const {json, csv, yes: _, ...others} = options;
  if (Object.keys(others).length > 0) {
    throw new Failure('usage', 'give an id, or filters and --dry-run, not both');
  }
  const path = `/dead-letters/${encodeURIComponent(id)}/${act}`;
  const item = await context.client().send('POST', path);
  showItem(context, {json, csv}, {columns: itemColumns, item});
};

const actOnMany = async (context: Context, act: Act, options: ActOptions) => {
  const {json, csv, all, dryRun, yes, ...filters} = options;
  if (!all && Object.keys(filters).length === 0) {
    throw new Failure('usage', 'give an id, a filter or --all');
  }
  const client = context.client();
  const body = {...(await filtersOf(client, filters)), ...(all ? {all} : {})};
  const send = async (dry: boolean) =>
    (await client.send('POST', `/dead-letters/${act}`, {...body, dryRun: dry})) as unknown as Done;
  if (!dryRun && !yes) {
    const {count} = await send(true);
    throw new Failure('usage', `this would ${act} ${count}: give --yes if they are meant`);
  }
  let done = await send(Boolean(dryRun));
  for (let last = done; last.more && last.count > 0; ) {
    last = await send(false);
    done = {
      ...last,
      count: done.count + last.count,
      ids: [...done.ids, ...last.ids].slice(0, 100),
    };
  }
  showItem(context, {json, csv}, {columns: doneColumns, item: done});
};
