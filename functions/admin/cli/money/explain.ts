/** Explain: `sluice explain`, why a request was answered as it was. */
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, showItem, showList, withFormat} from '../shell/context.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from '../tenants/org.ts';

type Options = Readonly<{json?: boolean; csv?: boolean; org?: string}>;
type Part = Readonly<Record<string, unknown>>;

const part = (item: Item, name: string) => (item[name] ?? {}) as Part;
const of = (name: string, heading: string, field = heading): Column => ({
  name: heading,
  value: item => part(item, name)[field],
});
const limitText = (item: Item) =>
  Object.entries(part(item, 'limits'))
    .flatMap(([scope, rates]) =>
      Object.entries(rates as Part).map(([name, value]) => `${scope} ${name} ${value}`),
    )
    .join(', ');

const columns: readonly Column[] = [
  ...['request', 'state', 'summary', 'org', 'project', 'key', 'environment', 'model', 'endpoint'],
  ...['tries', 'operation', 'streamed', 'label', 'trace', 'status', 'outcome', 'promptBytes'],
  'unsettledPolicy',
].map(name => ({name}));

const times = ['arrivedAt', 'startedAt', 'firstTokenAt', 'finishedAt', 'deadline', 'settledAt'];
const rest: readonly Column[] = [
  ...[...times, 'latencyMs', 'timeToFirstTokenMs'].map(name => of('times', name)),
  ...['code', 'parameter', 'reason', 'retryAfterSeconds', 'gateway'].map(name =>
    of('refusal', name),
  ),
  {name: 'limits', value: limitText},
  ...['inputTokens', 'cachedInputTokens', 'outputTokens', 'charged', 'estimated'].map(name =>
    of('cost', name),
  ),
  of('cost', 'priceVersion'),
  of('cost', 'arithmetic'),
  of('cost', 'agrees'),
  {name: 'usageRecorded'},
];

const amounts: readonly Column[] = ['budget', 'window', 'lease', 'unit'].map(name => ({name}));
const holdColumns = [...amounts, {name: 'hold', right: true}, {name: 'covered'}];
const chargeColumns: readonly Column[] = [
  {name: 'entry'},
  ...amounts,
  ...['hold', 'amount', 'covered', 'overage'].map(name => ({name, right: true})),
];
const letterColumns = ['id', 'state', 'eventId', 'subscription', 'reason'].map(name => ({name}));

export const explainCommand = (program: Command, context: Context) => {
  withFormat(program.command('explain <request>'))
    .description('why a request was answered as it was, by its x-request-id')
    .option('--org <name-or-id>', 'only if it is of this organisation')
    .action(async (request: string, {json, csv, org}: Options) => {
      const client = context.client();
      const item = await client.get<Item>(`/requests/${encodeURIComponent(request)}`, {
        org: org === undefined ? undefined : await findOrg(client, org),
      });
      const shown = [...columns, ...rest].filter(
        ({name, value}) => json || (value ? value(item) : item[name]) !== undefined,
      );
      showItem(context, {json, csv}, {columns: shown, item});
      if (json || csv) {
        return;
      }
      const lists: ReadonlyArray<readonly [string, readonly Column[], readonly Item[]]> = [
        ['holds', holdColumns, (item.holds ?? []) as Item[]],
        ['charges', chargeColumns, chargesOf(item)],
        ['dead letters', letterColumns, (item.deadLetters ?? []) as Item[]],
      ];
      for (const [title, listColumns, items] of lists) {
        if (items.length > 0) {
          context.out(`\n${title}\n`);
          showList(context, {}, {columns: listColumns, items, answer: items});
        }
      }
    });
};

const chargesOf = ({ledger}: Item): Item[] =>
  ((ledger ?? []) as {entry: string; charges: Item[]}[]).flatMap(({entry, charges}) =>
    charges.map(charge => ({...charge, entry})),
  );
