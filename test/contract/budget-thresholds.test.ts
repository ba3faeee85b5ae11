import type {ExecutionContext} from 'ava';
import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import {createPostgresStore} from '../../functions/budget/store-postgres.ts';
import {finished, lease, project, started, type Use, window} from '../helpers/budget.ts';
import {postgresHarness} from '../helpers/budget-store.ts';

const setUp = async (t: ExecutionContext, fields: Partial<ReturnType<typeof window>> = {}) => {
  const harness = await postgresHarness(t);
  const place = window({limit: 1_000n, leased: 1_000n, ...fields});
  const held = lease(place, {granted: place.leased});
  await harness.seed([place], [held]);
  const handle = debit({store: harness.store});
  return {
    ...harness,
    handle,
    place,
    request(amount: number) {
      const use: Use = {window: place, lease: held.id, hold: amount, amount};
      const id = uuidv7();
      return [started(id, [use]), finished(id, [use])];
    },
    async sent() {
      const {rows} = await harness.root.query<{event_id: string}>(
        `select event_id from outbox where destination = 'broker:default' order by id`,
      );
      return rows.map(row => row.event_id.split('/').slice(2).join('/'));
    },
    relay: () => harness.root.query('delete from outbox'),
  };
};

test('a batch that jumps over several thresholds announces each once, lowest first, and exhaustion last', async t => {
  const {handle, request, sent, place, root} = await setUp(t);
  await handle(request(499));
  t.deepEqual(await sent(), []);
  await handle(request(501));
  t.deepEqual(await sent(), ['50', '80', '100', 'exhausted']);
  const {rows} = await root.query(`select event from outbox order by id desc limit 1`);
  t.like(rows[0].event, {
    id: `${place.budget}/${place.id}/exhausted`,
    source: '/functions/budget',
    data: {budget: place.budget, window: place.id, limit: '1000', charged: '1000'},
  });
});

test('a batch that is delivered again announces nothing, whether or not its events were relayed', async t => {
  const {handle, request, sent, relay} = await setUp(t);
  const batch = [...request(500), ...request(300)];
  await handle(batch);
  await handle(batch);
  t.deepEqual(await sent(), ['50', '80']);
  await relay();
  await handle(batch);
  await handle([...batch, ...request(10)]);
  t.deepEqual(await sent(), []);
});

test('one batch delivered many times at once, by two stores, announces each share once', async t => {
  const {handle, request, sent, pool} = await setUp(t);
  const other = debit({store: createPostgresStore({pool})});
  const batch = [...request(500), ...request(500)];
  await Promise.all(
    Array.from({length: 8}, (_, index) => (index % 2 === 0 ? handle : other)(batch)),
  );
  t.deepEqual(await sent(), ['50', '80', '100', 'exhausted']);
});

test('requests that finish at once announce each share once, whatever batch passes it', async t => {
  const {handle, request, sent} = await setUp(t, {thresholds: [10, 30, 50, 70, 90]});
  await Promise.all(Array.from({length: 20}, () => handle(request(50))));
  t.deepEqual(await sent(), ['10', '30', '50', '70', '90', 'exhausted']);
});

test('overage counts, and a window far over its limit is exhausted once', async t => {
  const {handle, request, sent} = await setUp(t, {limit: 100n, ceiling: 1_000n});
  await handle(request(700));
  await handle(request(200));
  t.deepEqual(await sent(), ['50', '80', '100', 'exhausted']);
});

test('a batch that fails announces nothing, and its repetition does', async t => {
  const {handle, request, sent, root} = await setUp(t);
  const batch = request(600);
  await root.query(`alter table ledger add constraint refuse check (project_id <> '${project}')`);
  await t.throwsAsync(handle(batch));
  t.deepEqual(await sent(), []);
  await root.query('alter table ledger drop constraint refuse');
  await handle(batch);
  t.deepEqual(await sent(), ['50']);
});

test('without thresholds only exhaustion is announced', async t => {
  const {handle, request, sent} = await setUp(t, {thresholds: []});
  await handle(request(999));
  t.deepEqual(await sent(), []);
  await handle(request(1));
  t.deepEqual(await sent(), ['exhausted']);
});
