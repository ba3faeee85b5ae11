import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import type pg from 'pg';
import {transactionOn} from '../../events/database.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';
import {onceInTransaction} from '../../events/once.ts';
import {insertIntoOutbox} from '../../events/outbox.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

const asked: Event = {specversion: '1.0', id: '1', source: '/s', type: 'asked'};
const answered: Event = {
  specversion: '1.0',
  id: '1/answer',
  source: '/a',
  type: 'answered',
  data: {b: [null, 0, 'ü'], a: 12.5},
};

const start = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const pool = database.pool('system');
  const once = (consumer: string, lockTimeoutMs?: number) =>
    onceInTransaction({
      transaction: transactionOn(pool),
      consumer,
      ...(lockTimeoutMs === undefined ? {} : {lockTimeoutMs}),
    });
  const count = async (table: 'inbox' | 'outbox') =>
    Number((await pool.query(`select count(*) from ${table}`)).rows[0].count);
  return {pool, once, count};
};

/** Waits until as many connections wait for a lock as are said. */
const areWaiting = (pool: pg.Pool, count: number) =>
  eventually(async () => {
    const {rows} = await pool.query(
      "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
    );
    assert.equal(Number(rows[0].count), count);
  });

test('duplicates that arrive together run the handler once and get the same reply', async t => {
  const {pool, once} = await start(t);
  const {promise, resolve} = Promise.withResolvers<void>();
  let runs = 0;
  const handle = once('a')(async () => {
    runs += 1;
    await promise;
    return answered;
  });
  const replies = Promise.all([handle(asked), handle(asked), handle(asked)]);
  await areWaiting(pool, 2);
  resolve();
  t.deepEqual(await replies, [answered, answered, answered]);
  t.is(runs, 1);
});

test('one that arrives later gets the same reply, bytes too', async t => {
  const {once} = await start(t);
  const bytes = {...answered, datacontenttype: 'image/png', data: Buffer.from([0, 255, 10])};
  const handle = once('a')(async () => bytes);
  t.deepEqual(await handle(asked), bytes);
  t.deepEqual(await handle(asked), bytes);
});

test('no reply the first time is no reply the second time', async t => {
  const {once} = await start(t);
  let runs = 0;
  const handle = once('a')(async () => {
    runs += 1;
    return undefined;
  });
  t.is(await handle(asked), undefined);
  t.is(await handle(asked), undefined);
  t.is(runs, 1);
});

test('source, id and consumer together say what is the same', async t => {
  const {once} = await start(t);
  const seen: string[] = [];
  const handler = (name: string) =>
    once(name)(async ({source, id}) => {
      seen.push(`${name} ${source} ${id}`);
      return undefined;
    });
  for (const event of [asked, {...asked, id: '2'}, {...asked, source: '/other'}, asked]) {
    await handler('a')(event);
    await handler('b')(event);
  }
  t.is(seen.length, 6);
  t.is(new Set(seen).size, 6);
});

test('a handler that throws leaves nothing, and the next delivery runs it again', async t => {
  const {once, count} = await start(t);
  let fails = true;
  const handle = once('a')(async (event, client) => {
    await insertIntoOutbox(client, [{destination: 'broker:default', event}]);
    if (fails) {
      throw new Error('no');
    }
    return answered;
  });
  await t.throwsAsync(handle(asked), {message: 'no'});
  t.is((await count('inbox')) + (await count('outbox')), 0);
  fails = false;
  t.deepEqual(await handle(asked), answered);
  t.is(await count('outbox'), 1);
});

test('a handler that swallows the error of a statement is not taken for done', async t => {
  const {once, count} = await start(t);
  const handle = once('a')(async (_event, client) => {
    await client.query('select 1/0').catch(() => {});
    return undefined;
  });
  await t.throwsAsync(handle(asked), {message: /rolled back/});
  t.is(await count('inbox'), 0);
});

test('who waits while another works longer than the lock timeout is told 409', async t => {
  const {once} = await start(t);
  const {promise, resolve} = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const first = once('a')(async () => {
    begun.resolve();
    await promise;
    return answered;
  })(asked);
  await begun.promise;
  const again = once('a', 50)(async () => t.fail() as never);
  const error = await t.throwsAsync(again(asked), {instanceOf: SluiceError});
  t.is(error?.status, 409);
  resolve();
  t.deepEqual(await first, answered);
  t.deepEqual(await again(asked), answered);
});

test('when the one that works fails, one that waits takes over', async t => {
  const {pool, once} = await start(t);
  const {promise, resolve} = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const first = once('a')(async () => {
    begun.resolve();
    await promise;
    throw new Error('no');
  })(asked);
  await begun.promise;
  const second = once('a')(async () => answered)(asked);
  await areWaiting(pool, 1);
  resolve();
  await t.throwsAsync(first, {message: 'no'});
  t.deepEqual(await second, answered);
});

test("the lock timeout is the transaction's alone", async t => {
  const {pool, once} = await start(t);
  await once('a', 50)(async () => undefined)({...asked, id: uuidv7()});
  t.is((await pool.query('show lock_timeout')).rows[0].lock_timeout, '0');
});
