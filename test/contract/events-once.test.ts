import assert from 'node:assert/strict';
import {fork} from 'node:child_process';
import {once as onceEmitted} from 'node:events';
import test, {type ExecutionContext} from 'ava';
import type pg from 'pg';
import {createPool, transactionOn} from '../../events/database.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';
import {onceByClaim, onceInTransaction} from '../../events/once.ts';
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

test('the lock timeout is for the claim alone: what the handler waits for is its own business', async t => {
  const {pool, once} = await start(t);
  let during: string | undefined;
  await once(
    'a',
    50,
  )(async (_event, client) => {
    during = (await client.query('show lock_timeout')).rows[0].lock_timeout;
    return undefined;
  })(asked);
  t.is(during, '0');
  const set: string[] = [];
  await transactionOn(pool)(async client => {
    await client.query(`set local lock_timeout = '7s'`);
    await onceInTransaction({transaction: work => work(client), consumer: 'b'})(async () => {
      set.push((await client.query('show lock_timeout')).rows[0].lock_timeout);
      return undefined;
    })(asked);
  });
  t.deepEqual(set, ['7s']);
});

test("the lock timeout is the transaction's alone", async t => {
  const {pool, once} = await start(t);
  await once('a', 50)(async () => undefined)({...asked, id: uuidv7()});
  t.is((await pool.query('show lock_timeout')).rows[0].lock_timeout, '0');
});

const startClaims = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  // Every worker is a process of its own as far as PostgreSQL can tell.
  const worker = () => {
    const pool = createPool({
      databaseUrl: database.url('system'),
      name: 'worker',
      connectTimeoutMs: 60_000,
    });
    t.teardown(() => pool.end());
    return (holdMs = 60_000, consumer = 'a') => onceByClaim({client: pool, consumer, holdMs});
  };
  const expire = () =>
    database.pool('system').query(`update inbox set claimed_until = now() - interval '1 s'`);
  return {database, worker, expire};
};
const isConflict = (reason: unknown) => reason instanceof SluiceError && reason.status === 409;

test('of many deliveries at once one claims the event, the others are told 409 and get its reply later', async t => {
  const {worker} = await startClaims(t);
  const {promise, resolve} = Promise.withResolvers<void>();
  let runs = 0;
  const handles = Array.from({length: 6}, () =>
    worker()()(async () => {
      runs += 1;
      await promise;
      return answered;
    }),
  );
  const deliveries = [...handles, ...handles, ...handles, ...handles].map(handle => handle(asked));
  const results = Promise.allSettled(deliveries);
  let refused = 0;
  for (const delivery of deliveries) {
    delivery.catch(error => {
      refused += isConflict(error) ? 1 : 0;
    });
  }
  await eventually(async () => assert.equal(refused, 23));
  resolve();
  const fulfilled = (await results).filter(({status}) => status === 'fulfilled');
  t.deepEqual(fulfilled, [{status: 'fulfilled', value: answered}]);
  for (const handle of handles) {
    t.deepEqual(await handle(asked), answered);
  }
  t.is(runs, 1);
});

test('deliveries that are tried again until they are taken run the handler once', async t => {
  const {worker} = await startClaims(t);
  let runs = 0;
  const deliver = async () => {
    const handle = worker()()(async () => {
      runs += 1;
      return answered;
    });
    return eventually(() => handle(asked));
  };
  const replies = await Promise.all(Array.from({length: 12}, deliver));
  t.deepEqual(replies, Array(12).fill(answered));
  t.is(runs, 1);
});

test('who is told 409 is told when to come back, and no reply is a reply too', async t => {
  const {worker} = await startClaims(t);
  const {promise, resolve} = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const first = worker()(90_000)(async () => {
    begun.resolve();
    await promise;
    return undefined;
  })(asked);
  await begun.promise;
  const again = worker()()(async () => t.fail() as never);
  const error = await t.throwsAsync(again(asked), {instanceOf: SluiceError});
  t.is(error?.status, 409);
  t.true((error?.retryAfterSeconds ?? 0) > 60 && (error?.retryAfterSeconds ?? 99) <= 90);
  resolve();
  t.is(await first, undefined);
  t.is(await again(asked), undefined);
});

test('a handler that fails holds nobody up, and the attempt says which it is', async t => {
  const {worker} = await startClaims(t);
  const attempts: number[] = [];
  const handle = worker()()(async (_event, {attempt}) => {
    attempts.push(attempt);
    if (attempt < 3) {
      throw new Error('no');
    }
    return answered;
  });
  await t.throwsAsync(handle(asked), {message: 'no'});
  await t.throwsAsync(handle(asked), {message: 'no'});
  t.deepEqual(await handle(asked), answered);
  t.deepEqual(attempts, [1, 2, 3]);
});

test('one that was taken over while it ran stores nothing and is told 409; what the other stored counts', async t => {
  const {worker, expire} = await startClaims(t);
  const {promise, resolve} = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const late = worker()()(async () => {
    begun.resolve();
    await promise;
    return {...answered, id: 'late'};
  })(asked);
  await begun.promise;
  await expire();
  const takesOver = worker()()(async (_event, {attempt}) => ({...answered, id: `by ${attempt}`}));
  const reply = {...answered, id: 'by 2'};
  t.deepEqual(await takesOver(asked), reply);
  resolve();
  t.true(isConflict(await t.throwsAsync(late)));
  t.deepEqual(await takesOver(asked), reply);
});

test('one that was taken over and then fails does not free the claim of the other', async t => {
  const {worker, expire} = await startClaims(t);
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const begun = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
  const late = worker()()(async () => {
    begun[0].resolve();
    await first.promise;
    throw new Error('no');
  })(asked);
  await begun[0].promise;
  await expire();
  const holds = worker()()(async () => {
    begun[1].resolve();
    await second.promise;
    return answered;
  })(asked);
  await begun[1].promise;
  first.resolve();
  await t.throwsAsync(late, {message: 'no'});
  t.true(isConflict(await t.throwsAsync(worker()()(async () => t.fail() as never)(asked))));
  second.resolve();
  t.deepEqual(await holds, answered);
});

test('one that runs out and is taken over by nobody may still store its reply', async t => {
  const {worker, expire} = await startClaims(t);
  const handle = worker()()(async () => {
    await expire();
    return answered;
  });
  t.deepEqual(await handle(asked), answered);
  t.deepEqual(await worker()()(async () => t.fail() as never)(asked), answered);
});

test('a worker that is killed in the middle holds the event until its claim runs out, then the next one runs', async t => {
  const {database, worker, expire} = await startClaims(t);
  const pool = database.pool('superuser');
  await pool.query('create table effects (attempt integer); grant all on effects to sluice_system');
  const child = fork('test/helpers/claim-and-hang.ts', {
    env: {
      PATH: process.env.PATH ?? '',
      DATABASE_URL: database.url('system'),
      HOLD_MS: '60000',
    },
  });
  t.teardown(() => child.kill('SIGKILL'));
  t.deepEqual((await onceEmitted(child, 'message'))[0], 'held');
  child.kill('SIGKILL');
  await onceEmitted(child, 'exit');
  const handles = Array.from({length: 4}, () =>
    worker()()(async (_event, {attempt}) => {
      await pool.query('insert into effects values ($1)', [attempt]);
      return answered;
    }),
  );
  const early = await Promise.allSettled(handles.map(handle => handle(asked)));
  t.true(early.every(({status}) => status === 'rejected'));
  await expire();
  const replies = await Promise.all(
    handles.map(handle => eventually(() => handle(asked), {timeoutMs: 30_000})),
  );
  t.deepEqual(replies, Array(4).fill(answered));
  const {rows} = await pool.query('select attempt from effects order by 1');
  t.deepEqual(rows, [{attempt: 1}, {attempt: 2}]);
});

test('a claim runs out by itself', async t => {
  const {worker} = await startClaims(t);
  const begun = Promise.withResolvers<void>();
  void worker()(100)(() => {
    begun.resolve();
    return new Promise(() => {});
  })(asked);
  await begun.promise;
  t.deepEqual(await eventually(() => worker()()(async () => answered)(asked)), answered);
});

test('an event that somebody holds by a claim is not taken for done by a transaction', async t => {
  const {database, worker} = await startClaims(t);
  const {promise, resolve} = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const first = worker()()(async () => {
    begun.resolve();
    await promise;
    return answered;
  })(asked);
  await begun.promise;
  const handle = onceInTransaction({
    transaction: transactionOn(database.pool('system')),
    consumer: 'a',
  })(async () => t.fail() as never);
  t.true(isConflict(await t.throwsAsync(handle(asked))));
  resolve();
  await first;
  t.deepEqual(await handle(asked), answered);
});
