import test, {type ExecutionContext} from 'ava';
import type {Event} from '../../events/event.ts';
import {noKey} from '../../events/external-terms.ts';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import type {BudgetStore} from '../../functions/budget/store.ts';
import {createMemoryStore} from '../../functions/budget/store-memory.ts';
import type {BudgetRow} from '../../functions/budget/store-memory-windows.ts';
import {finished, key, lease, org, project, started, window} from '../helpers/budget.ts';
import {memoryHarness, postgresHarness} from '../helpers/budget-store.ts';
import {
  bareOrg,
  dearerSince,
  otherKey,
  otherOrg,
  otherProject,
  recorded,
  seedRegistry,
  seedTables,
} from '../helpers/external-usage.ts';

type Seen = Readonly<{windows: string[]; ledger: string[]; buried: string[]; sent: string[]}>;
type World = Readonly<{
  store: BudgetStore;
  addBudget(fields: Partial<BudgetRow>): Promise<BudgetRow>;
  seen(): Promise<Seen>;
}>;

const budgetOf = (fields: Partial<BudgetRow>): BudgetRow => ({
  id: uuidv7(),
  org,
  unit: 'usd',
  limit: 100_000n,
  thresholds: [50, 100],
  period: 'month',
  ...fields,
});

/** A window by its budget, a charge without its window: ids of opened windows differ. */
const windowText = (row: Record<string, unknown>) =>
  `${row.budget} ${row.unit}: limit ${row.limit} spent ${row.spent} overage ${row.overage} leased ${row.leased}`;
const entryText = (row: Record<string, unknown>) =>
  [
    row.month,
    row.request,
    row.entry,
    row.project,
    row.key,
    row.version,
    row.cost,
    row.outcome,
    (row.charges as Record<string, unknown>[])
      .map(charge => [charge.budget, charge.lease, charge.amount, charge.covered, charge.overage])
      .sort()
      .join(' '),
  ].join(' ');

const inMemory = async (): Promise<World> => {
  const store = createMemoryStore();
  seedRegistry(store.registry);
  const {windows, ledger, deadLetters, outbox} = store.state;
  return {
    store,
    async addBudget(fields) {
      const budget = budgetOf(fields);
      store.budgets.push(budget);
      return budget;
    },
    async seen() {
      return {
        windows: [...windows.values()].map(windowText).sort(),
        ledger: [...ledger.values()]
          .map(row => entryText({...row, version: row.priceVersion, cost: row.costNanos}))
          .sort(),
        buried: [...deadLetters.values()].map(({reason}) => reason).sort(),
        sent: [...outbox.values()].map(({type}) => type).sort(),
      };
    },
  };
};

const inPostgres = async (t: ExecutionContext): Promise<World> => {
  const {store, root} = await postgresHarness(t);
  await seedTables(root);
  const rows = async (text: string) => (await root.query(text)).rows as Record<string, unknown>[];
  return {
    store,
    async addBudget(fields) {
      const budget = budgetOf(fields);
      await root.query(
        `insert into budgets (id, org_id, project_id, key_id, unit, "limit", period, thresholds)
         values ($1, $2, $3, $4, $5, $6, $7, $8)`,
        [
          budget.id,
          budget.org,
          budget.project,
          budget.key,
          budget.unit,
          budget.limit,
          budget.period,
          budget.thresholds,
        ],
      );
      return budget;
    },
    async seen() {
      const windows = await rows(
        'select w.*, w.budget_id as budget, b.unit from windows w join budgets b on b.id = w.budget_id',
      );
      const ledger = await rows(
        'select *, month::text, project_id as project, key_id as key, price_version as version, cost_nanos as cost from ledger',
      );
      return {
        windows: windows.map(windowText).sort(),
        ledger: ledger.map(entryText).sort(),
        buried: (await rows('select reason from dead_letters'))
          .map(row => String(row.reason))
          .sort(),
        sent: (await rows(`select event ->> 'type' as type from outbox`))
          .map(row => String(row.type))
          .filter(type => type !== 'dev.sluice.deadletter.stored.v1')
          .sort(),
      };
    },
  };
};

const both = (title: string, work: (t: ExecutionContext, world: World) => Promise<void>) => {
  test(`${title}, in memory`, async t => work(t, await inMemory()));
  test(`${title}, in PostgreSQL`, async t => work(t, await inPostgres(t)));
};

const monthOf = ({data}: Event) => `${(data as {at: string}).at.slice(0, 7)}-01`;
const requestIn = (line: string | undefined) => line?.split(' ')[1];

both(
  'usage of another router is charged to organisation, project and key, and to nobody else',
  async (t, {store, addBudget, seen}) => {
    const budgets = [
      await addBudget({}),
      await addBudget({project, period: 'day'}),
      await addBudget({key, period: 'none', unit: 'tokens'}),
    ];
    await addBudget({project: otherProject});
    await addBudget({org: otherOrg});
    const used = recorded({project, key, cachedInputTokens: 4});
    await debit({store})([used]);
    const {windows, ledger} = await seen();
    const [whole, ofProject, ofKey] = budgets.map(({id}) => id);
    t.deepEqual(
      windows,
      [
        `${whole} usd: limit 100000 spent 10000 overage 0 leased 0`,
        `${ofProject} usd: limit 100000 spent 10000 overage 0 leased 0`,
        `${ofKey} tokens: limit 100000 spent 15 overage 0 leased 0`,
      ].sort(),
    );
    const charges = [
      `${whole},,10000,10000,0`,
      `${ofProject},,10000,10000,0`,
      `${ofKey},,15,15,0`,
    ].sort();
    t.deepEqual(ledger, [
      `${monthOf(used)} ${requestIn(ledger[0])} external ${project} ${key} 2 10000 completed ${charges.join(' ')}`,
    ]);
  },
);

both(
  'over the limit it is overage, within the limit it is spent, and the thresholds are told once',
  async (t, {store, addBudget, seen}) => {
    const {id} = await addBudget({limit: 15_000n});
    const handle = debit({store});
    const events = [recorded(), recorded(), recorded()];
    await handle(events.slice(0, 1));
    t.deepEqual((await seen()).sent, ['dev.sluice.budget.threshold.reached.v1']);
    await handle(events);
    const {windows, sent} = await seen();
    t.deepEqual(windows, [`${id} usd: limit 15000 spent 15000 overage 15000 leased 0`]);
    t.deepEqual(sent, [
      'dev.sluice.budget.exhausted.v1',
      'dev.sluice.budget.threshold.reached.v1',
      'dev.sluice.budget.threshold.reached.v1',
    ]);
  },
);

both(
  'a record that comes again, alone, in another batch or under another event id, changes nothing',
  async (t, {store, addBudget, seen}) => {
    await addBudget({});
    const handle = debit({store});
    const [one, two] = [recorded({request: 'a'}), recorded({request: 'b'})];
    await handle([one, {...one, id: 'another'}, two]);
    const once = await seen();
    t.is(once.ledger.length, 2);
    await handle([two, one]);
    await handle([{...one, id: 'a third'}]);
    t.deepEqual(await seen(), once);
    await handle([{...one, source: '/another/router'}]);
    t.is((await seen()).ledger.length, 3);
  },
);

both(
  'the price is the one in force at the instant, the window the one of the instant',
  async (t, {store, addBudget, seen}) => {
    const {id} = await addBudget({period: 'day'});
    const before = Date.parse(dearerSince) - 86_400_000;
    const years = before - 200 * 86_400_000;
    const at = (ms: number) => new Date(ms).toISOString();
    const today = recorded();
    await debit({store})([today, recorded({at: at(before)}), recorded({at: at(years)})]);
    const {windows, ledger} = await seen();
    t.deepEqual(windows, [
      `${id} usd: limit 100000 spent 10000 overage 0 leased 0`,
      `${id} usd: limit 100000 spent 5000 overage 0 leased 0`,
      `${id} usd: limit 100000 spent 5000 overage 0 leased 0`,
    ]);
    t.deepEqual(
      ledger.map(line => [line.split(' ')[0], line.split(' ')[5]]).sort(),
      [
        [`${at(years).slice(0, 7)}-01`, '1'],
        [`${at(before).slice(0, 7)}-01`, '1'],
        [monthOf(today), '2'],
      ].sort(),
    );
  },
);

both(
  "without a project it is the key's, without both the organisation's first, without a key none",
  async (t, {store, seen}) => {
    await debit({store})([recorded(), recorded({key}), recorded({project: otherProject})]);
    const owners = (await seen()).ledger.map(line => line.split(' ').slice(3, 5));
    t.deepEqual(owners.sort(), [
      [project, noKey],
      [project, key],
      [otherProject, noKey],
    ]);
  },
);

both(
  'what names strangers, no model, no price or no instant of ours is a dead letter, once, and the rest goes on',
  async (t, {store, seen}) => {
    const at = (ms: number) => new Date(Date.now() + ms).toISOString();
    const bad: Event[] = [
      recorded({}, {orgid: uuidv7()}),
      recorded({}, {orgid: bareOrg}),
      recorded({project}, {orgid: otherOrg}),
      recorded({key: otherKey}),
      recorded({project: otherProject, key}),
      recorded({model: 'nobody knows'}),
      recorded({environment: 'staging'}),
      recorded({model: 'without a price'}),
      recorded({outputTokens: 1_000_000_000_000}),
      recorded({at: at(2 * 86_400_000)}),
      recorded({at: at(-400 * 86_400_000)}),
      recorded({inputTokens: -1}),
      recorded({cachedInputTokens: 11}),
    ];
    const handle = debit({store});
    await handle([...bad, recorded()]);
    await handle([...bad].reverse());
    const {ledger, buried} = await seen();
    t.is(ledger.length, 1);
    t.deepEqual(buried, [
      'data.at: expected an instant of the last 13 months, at most a day ahead',
      'data.at: expected an instant of the last 13 months, at most a day ahead',
      'data.cachedInputTokens: expected no more than inputTokens',
      'data.inputTokens: expected a whole number from 0 to 1000000000000',
      'data.key: expected a key of the organisation',
      'data.key: expected a key of the project',
      'data.model: expected a model with a price, registered in production',
      'data.model: expected a model with a price, registered in production',
      'data.model: expected a model with a price, registered in staging',
      'data.project: expected a project of the organisation',
      'data.project: expected one, because the organisation has none',
      'data: expected tokens that one request can cost',
      'orgid: expected an organisation that is known',
    ]);
  },
);

for (const [name, make] of Object.entries({memory: memoryHarness, postgres: postgresHarness})) {
  test(`${name}: what gateways have leased is not spent by another router`, async t => {
    const harness = await make(t);
    const place = window({limit: 20_000n, leased: 14_000n, thresholds: []});
    const held = lease(place, {granted: 14_000n});
    await harness.seed([place], [held]);
    if ('root' in harness) {
      await seedTables(harness.root as Parameters<typeof seedTables>[0]);
    } else {
      const store = harness.store as ReturnType<typeof createMemoryStore>;
      seedRegistry(store.registry);
      store.adopt(
        {id: place.budget, org, unit: 'usd', limit: 20_000n, thresholds: [], period: 'none'},
        place.id,
      );
    }
    const handle = debit({store: harness.store});
    const use = {window: place, lease: held.id, hold: 14_000, amount: 14_000};
    const request = uuidv7();
    await handle([recorded()]);
    t.is(
      (await harness.contents()).windows[place.id],
      'spent 6000 leased 14000 overage 4000 ceiling 20000 threshold 0',
    );
    await handle([started(request, [use]), finished(request, [use])]);
    t.is(
      (await harness.contents()).windows[place.id],
      'spent 20000 leased 0 overage 4000 ceiling 20000 threshold 100',
    );
  });
}
