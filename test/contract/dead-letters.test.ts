import {Ajv2020 as Validator} from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import test from 'ava';
import {messageOf} from '../../events/brokers/broker.ts';
import {createPool, transactionOn} from '../../events/database.ts';
import {
  insertDeadLetters,
  keepDeadLettersIn,
  refusedBy,
  storeDeadLetters,
  storedType,
} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createLetters} from '../../functions/deadletter/letters.ts';
import schema from '../../schemas/events/deadletter.stored.v1.json' with {type: 'json'};
import {createTestDatabase} from '../helpers/database.ts';

const event = (id: string, type = 'test.done'): Event => ({
  specversion: '1.0',
  id,
  source: '/s',
  type,
  orgid: uuidv7(),
  data: 'canary',
});
const validator = new Validator({strict: false});
formats.default(validator);
const isStored = validator.compile(schema);

test('each new letter is told of once, in the transaction that stores it, without its content', async t => {
  const database = await createTestDatabase(t);
  const pool = database.pool('system');
  const letter = refusedBy('budget', event('1'), 'the data is none');
  await t.throwsAsync(
    transactionOn(pool)(async client => {
      await insertDeadLetters(client, [letter]);
      throw new Error('no');
    }),
    {message: 'no'},
  );
  t.is((await pool.query('select from outbox')).rowCount, 0);
  t.is(await storeDeadLetters(pool, [letter, letter]), 1);
  t.is(await storeDeadLetters(pool, [letter]), 0);
  const {rows} = await pool.query('select destination, org_id, event from outbox');
  t.is(rows.length, 1);
  t.is(rows[0].destination, 'broker:default');
  t.is(rows[0].org_id, letter.org);
  const {time, ...told} = rows[0].event;
  t.true(Math.abs(Date.parse(time) - Date.now()) < 3_600_000);
  t.deepEqual(told, {
    specversion: '1.0',
    id: letter.id,
    source: '/functions/deadletter',
    type: storedType,
    datacontenttype: 'application/json',
    orgid: letter.org,
    partitionkey: letter.org,
    data: {
      letter: letter.id,
      subscription: 'budget',
      type: 'test.done',
      reason: 'the data is none',
      status: 422,
      proved: true,
    },
  });
  t.true(isStored(told.data), JSON.stringify(isStored.errors));
});

test('a letter about a letter is stored and told of by none', async t => {
  const database = await createTestDatabase(t);
  const pool = database.pool('system');
  const about = refusedBy('notify', event('1', storedType), 'because', 'broker:default');
  t.is(await storeDeadLetters(pool, [about, refusedBy('notify', event('2'), 'because')]), 2);
  const {rows} = await pool.query("select event ->> 'type' as type from outbox");
  t.is(rows.length, 1);
});

test('what a broker could not deliver is kept once, proved, and says nothing of the answer elsewhere', async t => {
  const database = await createTestDatabase(t);
  const pool = database.pool('system');
  const keep = keepDeadLettersIn(pool);
  const undelivered = (json: string) => ({
    message: messageOf({id: '7', subscription: 'trigger/sluice/one', attempt: 6, json}),
    topic: 'broker:default',
    reason: 'the answer was 422: canary',
    status: 422,
    destination: 'one/',
    detail: 'canary',
  });
  await keep([undelivered(JSON.stringify(event('1'))), undelivered('{"no": "event"}')]);
  await keep([undelivered('{"no": "event"}')]);
  const {rows} = await pool.query(
    'select proved, origin, attempts, reason, error_data from dead_letters order by type nulls last',
  );
  const kept = {
    proved: true,
    origin: 'broker:default',
    attempts: 6,
    reason: 'the answer was 422',
    error_data: 'canary',
  };
  t.deepEqual(rows, [kept, kept]);
  const told = await pool.query('select event::text as json from outbox');
  t.is(told.rowCount, 2);
  t.false(told.rows.some(({json}) => json.includes('canary')));
});

test('a letter is redriven or dropped once, however many ask at once, one by one or many at a time', async t => {
  const database = await createTestDatabase(t);
  const workers = Array.from({length: 4}, (_, index) => {
    const pool = createPool({
      databaseUrl: database.url('system'),
      name: `worker-${index}`,
      connectionsMax: 8,
      connectTimeoutMs: 60_000,
    });
    t.teardown(() => pool.end());
    return createLetters({pool, partRows: 3});
  });
  const letters = Array.from({length: 40}, (_, index) =>
    refusedBy('budget', event(`e${index}`), 'because'),
  );
  const pool = database.pool('system');
  await insertDeadLetters(pool, letters);
  const single = letters.slice(0, 20);
  const outcomes = await Promise.allSettled([
    ...workers.flatMap(worker => [
      worker.many('redrive', {subscription: 'budget'}, {dryRun: false, limit: 1_000}),
      worker.many('drop', {subscription: 'budget'}, {dryRun: false, limit: 3}),
    ]),
    ...single.flatMap(({id}) => workers.map(worker => worker.one('redrive', id))),
    ...single.map(({id}) => workers[0]?.one('drop', id)),
  ]);
  for (const outcome of outcomes) {
    t.true(
      outcome.status === 'fulfilled' || outcome.reason.code === 'conflict',
      String((outcome as PromiseRejectedResult).reason),
    );
  }
  const {rows} = await pool.query<{id: string; redriven: boolean; sent: number}>(
    `select d.id, d.redriven_at is not null as redriven,
       (select count(*)::int from outbox where event ->> 'redriven' = d.id::text) as sent
     from dead_letters d where redriven_at is not null or dropped_at is not null`,
  );
  t.is(rows.length, 40);
  t.deepEqual(
    rows.filter(({redriven, sent}) => sent !== (redriven ? 1 : 0)),
    [],
  );
  const done = outcomes.flatMap(outcome =>
    outcome.status === 'fulfilled' && outcome.value && 'count' in outcome.value
      ? [outcome.value.count]
      : outcome.status === 'fulfilled'
        ? [1]
        : [],
  );
  t.is(
    done.reduce((sum, count) => sum + count, 0),
    40,
    'each was done for one of those who asked',
  );
});

test('letters that were dealt with are forgotten in time, those that wait never', async t => {
  const database = await createTestDatabase(t);
  const pool = database.pool('system');
  await insertDeadLetters(
    pool,
    ['old', 'new', 'waits', 'dropped'].map(id => refusedBy('budget', event(id), 'because')),
  );
  await pool.query(`update dead_letters set dead_at = now() - interval '1 year'`);
  await pool.query(`update dead_letters set redriven_at = now() where event_id = 'new'`);
  await pool.query(
    `update dead_letters set redriven_at = now() - interval '36 days' where event_id = 'old'`,
  );
  await pool.query(
    `update dead_letters set dropped_at = now() - interval '36 days' where event_id = 'dropped'`,
  );
  await pool.query('select forget_old()');
  const {rows} = await pool.query('select event_id from dead_letters order by 1');
  t.deepEqual(
    rows.map(({event_id}) => event_id),
    ['new', 'waits'],
  );
});
