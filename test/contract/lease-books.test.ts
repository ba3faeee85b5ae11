/** Several lease books on one PostgreSQL, each beside a watcher of changes, as gateways have them. */
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {watchChanges} from '../../events/changes.ts';
import {createPool} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Demand, Taken} from '../../functions/budget/leases/account.ts';
import {createLeaseBook, type LeaseBook} from '../../functions/budget/leases/lease-book.ts';
import {
  besideChanges,
  createLeaseWork,
  type LeaseWork,
} from '../../functions/budget/leases/lease-work.ts';
import {org} from '../helpers/budget.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

/** The promise is 1 s; a test allows ten. */
const soon = {timeoutMs: 10_000};

const setUp = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const root = createPool({databaseUrl: database.url('superuser'), name: 'test'});
  const pool = createPool({databaseUrl: database.url('gateway'), name: 'test', connectionsMax: 8});
  t.teardown(() => Promise.all([root.end(), pool.end()]));
  await root.query(`insert into orgs (id, name) values ($1, 'one')`, [org]);
  const gateway = async () => {
    const id = uuidv7();
    const works: LeaseWork[] = [];
    const ask = createLeaseWork({
      client: pool,
      gateway: id,
      environment: 'production',
      ttlMs: 60_000,
    });
    const book = createLeaseBook({
      work(work) {
        works.push(work);
        return ask(work);
      },
      ttlMs: 60_000,
      marginMs: 5_000,
      waitMs: 5_000,
      sliceMax: {usd: 1_000, tokens: 1_000, gpu_ms: 1_000},
    });
    const changes = watchChanges({
      databaseUrl: database.url('gateway'),
      beside: besideChanges(id, book.recall),
      onChanges: found =>
        book.change(
          found === 'all'
            ? found
            : found.flatMap(({kind, subject}) => (kind === 'budget' ? [subject] : [])),
        ),
    });
    await changes.start();
    t.teardown(async () => {
      await changes.close();
      await book.close();
    });
    return {book, works};
  };
  return {
    root,
    gateway,
    async budget(limit = 1_000) {
      const id = uuidv7();
      await root.query(
        `insert into budgets (id, org_id, unit, "limit", period) values ($1, $2, 'tokens', $3, 'none')`,
        [id, org, limit],
      );
      return id;
    },
    async window(budget: string) {
      const {rows} = await root.query('select * from windows where budget_id = $1', [budget]);
      return rows[0];
    },
  };
};

const demand = (budget: string, tokens: number, minTokens = tokens): Demand => ({
  budgets: [{id: budget, unit: 'tokens'}],
  price: {
    free: true,
    inputPerMillion: 0,
    outputPerMillion: 0,
    inputGpuMsPerMillion: 0,
    outputGpuMsPerMillion: 0,
  },
  promptTokens: 0,
  copies: 1,
  maxTokens: tokens,
  minTokens,
});
const taken = async (outcome: ReturnType<LeaseBook['acquire']>): Promise<Taken> => {
  const found = await outcome;
  assert.ok('holds' in found, `refused: ${'refused' in found ? found.refused : ''}`);
  return found;
};
const outcomeOf = async (outcome: ReturnType<LeaseBook['acquire']>) => {
  const found = await outcome;
  return 'refused' in found ? found.refused : 'taken';
};

test('a slice is a quarter of what is left for each gateway alive, and one hold near the limit', async t => {
  const {gateway, budget, window} = await setUp(t);
  const id = await budget(1_600);
  const [one, two] = [await gateway(), await gateway()];
  await taken(one.book.acquire(demand(id, 1)));
  t.is((await window(id)).leased, 400n);
  await taken(two.book.acquire(demand(id, 1)));
  t.is((await window(id)).leased, 600n);
  await taken(two.book.acquire(demand(id, 700)));
  t.is((await window(id)).leased, 400n + 701n, 'what one request needs, and no more');
});

test('what one gateway lacks another gives back while the request waits', async t => {
  const {gateway, budget, window} = await setUp(t);
  const id = await budget(1_000);
  const [one, two] = [await gateway(), await gateway()];
  const held = await taken(one.book.acquire(demand(id, 600)));
  held.settle([0]);
  t.is((await window(id)).leased, 600n);
  const found = await taken(two.book.acquire(demand(id, 900)));
  t.is(found.holds[0]?.hold, 900);
  const {leased, ceiling} = await window(id);
  t.true(leased <= 1_000n && ceiling === 1_000n);
});

test('a pause stops every gateway within a second, and a resumption starts it', async t => {
  const {root, gateway, budget} = await setUp(t);
  const id = await budget();
  const gateways = [await gateway(), await gateway()];
  const outcomes = () =>
    Promise.all(gateways.map(({book}) => outcomeOf(book.acquire(demand(id, 1)))));
  t.deepEqual(await outcomes(), ['taken', 'taken']);
  await root.query('update budgets set paused_at = now() where id = $1', [id]);
  await eventually(async () => assert.deepEqual(await outcomes(), ['paused', 'paused']), soon);
  await root.query('update budgets set paused_at = null where id = $1', [id]);
  await eventually(async () => assert.deepEqual(await outcomes(), ['taken', 'taken']), soon);
});

test('a lowered limit takes back what nobody holds within a second, a raised one is there as soon', async t => {
  const {root, gateway, budget, window} = await setUp(t);
  const id = await budget(1_000);
  const [one, two] = [await gateway(), await gateway()];
  await taken(one.book.acquire(demand(id, 100)));
  await taken(two.book.acquire(demand(id, 10)));
  await root.query('update budgets set "limit" = 50 where id = $1', [id]);
  await eventually(async () => {
    const {leased, ceiling, limit} = await window(id);
    assert.deepEqual([leased, ceiling, limit], [110n, 110n, 50n]);
  }, soon);
  t.is(await outcomeOf(two.book.acquire(demand(id, 60))), 'exhausted');
  await root.query('update budgets set "limit" = 500 where id = $1', [id]);
  await eventually(
    async () => assert.equal(await outcomeOf(two.book.acquire(demand(id, 60))), 'taken'),
    soon,
  );
});

test('a spent budget is asked for a few times a second, however many requests want it', async t => {
  const {root, gateway, budget} = await setUp(t);
  const id = await budget(100);
  const {book, works} = await gateway();
  const held = await taken(book.acquire(demand(id, 100)));
  held.settle([100]);
  await root.query('update leases set settled = 100');
  await root.query('update windows set spent = 100, leased = 0');
  const started = performance.now();
  const before = works.length;
  while (performance.now() - started < 1_000) {
    t.is(await outcomeOf(book.acquire(demand(id, 10))), 'exhausted');
  }
  const asked = works.slice(before).flatMap(({grants}) => grants).length;
  t.true(asked <= 10, `asked ${asked} times in a second`);
});

test('many gateways share the last money: all of it can be held, none of it twice', async t => {
  const {gateway, budget, window} = await setUp(t);
  const id = await budget(400);
  const gateways = await Promise.all(Array.from({length: 4}, gateway));
  const outcomes = await Promise.all(
    gateways.flatMap(({book}) => Array.from({length: 100}, () => book.acquire(demand(id, 3)))),
  );
  const held = outcomes.filter(outcome => 'holds' in outcome).length * 3;
  t.true(held <= 400, `${held} held`);
  t.true(held >= 390, `${held} held: the rest is less than a hold a gateway`);
  t.true((await window(id)).leased <= 400n);
});
