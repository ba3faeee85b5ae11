import assert from 'node:assert/strict';
import {createServer, type Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import type pg from 'pg';
import {type Change, watchChanges} from '../../events/changes.ts';
import {asTenant} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase, type TestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';

/** A change must have reached every gateway within a second; a machine with other work may take ten times as long. */
const soon = {timeoutMs: 10_000, intervalMs: 5};
/** Where it is the order that counts, and not the time. */
const later = {timeoutMs: 60_000, intervalMs: 5};
/** Longer than any test: only a notification can make the watcher read. */
const never = 1_000_000;

const watch = async (
  t: ExecutionContext,
  database: TestDatabase,
  options: Partial<Parameters<typeof watchChanges>[0]> = {},
) => {
  const told: (readonly Change[] | 'all')[] = [];
  const errors: Error[] = [];
  const watcher = watchChanges({
    databaseUrl: database.url('gateway'),
    onChanges: changes => told.push(changes),
    onError: error => errors.push(error),
    // On a busy machine the first read would else be given up, and come when the test has gone on.
    queryTimeoutMs: 30_000,
    ...options,
  });
  t.teardown(() => watcher.close());
  await watcher.start();
  const changes = () => told.filter(one => one !== 'all').flat();
  return {watcher, told, errors, changes};
};

const watchers = async (database: TestDatabase) =>
  (
    await database
      .pool('superuser')
      .query<{pid: number}>(
        "select pid from pg_stat_activity where application_name = 'sluice-changes' and datname = current_database()",
      )
  ).rows.map(({pid}) => pid);

/** What the trigger does, without its notification. */
const writeSilently = (client: pg.Pool | pg.PoolClient, subject = uuidv7()) =>
  client.query(
    `with next as (update revision set value = value + 1 returning value)
     insert into changes (revision, kind, subject) select value, 'key', $1 from next`,
    [subject],
  );

const tenantOf = (database: TestDatabase, org: string) => (text: string, values: unknown[]) =>
  asTenant(database.pool('tenant'))(org, client => client.query(text, values));

const makeTenant = async (database: TestDatabase) => {
  const [org, project, key, budget] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()] as const;
  const run = tenantOf(database, org);
  return {
    org,
    project,
    key,
    budget,
    run,
    insertOrg: () => run('insert into orgs (id, name) values ($1, $1::uuid::text)', [org]),
    insertProject: () =>
      run(`insert into projects (id, org_id, name) values ($1, $2, 'p')`, [project, org]),
    insertKey: () =>
      run(
        `insert into keys (id, org_id, project_id, public_id, secret_hash, name)
         values ($1, $2, $3, $1::uuid::text, sha256('x'), 'k')`,
        [key, org, project],
      ),
    insertBudget: () =>
      run(
        `insert into budgets (id, org_id, project_id, unit, "limit", period) values ($1, $2, $3, 'usd', 5, 'month')`,
        [budget, org, project],
      ),
  };
};

test('every change of organisation, project, key and budget reaches the watcher within a second', async t => {
  const database = await createTestDatabase(t);
  const {told, changes} = await watch(t, database);
  t.deepEqual(told, ['all']);
  const tenant = await makeTenant(database);
  const {org, project, key, budget, run} = tenant;
  const owner = database.pool('owner');
  let revision = 0;
  const reaches = async (
    kind: Change['kind'],
    subject: string,
    write: () => Promise<{rowCount: number | null}>,
  ) => {
    t.is((await write()).rowCount, 1);
    revision += 1;
    await eventually(() => assert.equal(changes().length, revision), soon);
    t.deepEqual(changes().at(-1), {revision, kind, subject, orgId: org});
    const {rows} = await database.pool('gateway').query('select value from revision');
    t.is(rows[0].value, String(revision));
  };
  await reaches('org', org, tenant.insertOrg);
  await reaches('project', project, tenant.insertProject);
  await reaches('key', key, tenant.insertKey);
  await reaches('budget', budget, tenant.insertBudget);
  await reaches('org', org, () => run('update orgs set suspended_at = now() where id = $1', [org]));
  await reaches('project', project, () =>
    run(`update projects set unsettled_policy = 'hold' where id = $1`, [project]),
  );
  await reaches('key', key, () => run('update keys set revoked_at = now() where id = $1', [key]));
  await reaches('budget', budget, () =>
    run('update budgets set "limit" = 7 where id = $1', [budget]),
  );
  // Rows of a tenant are deleted by nobody who serves; who repairs by hand must reach the caches too.
  await reaches('budget', budget, () => owner.query('delete from budgets where id = $1', [budget]));
  await reaches('key', key, () => owner.query('delete from keys where id = $1', [key]));
  t.deepEqual(told[0], 'all');
  t.false(told.slice(1).includes('all'));
});

test('every change of a model, its endpoints and its price reaches the watcher within a second', async t => {
  const database = await createTestDatabase(t);
  const {changes} = await watch(t, database);
  const system = database.pool('system');
  const model = uuidv7();
  let revision = 0;
  const reaches = async (text: string, values: unknown[] = [model]) => {
    t.is((await system.query(text, values)).rowCount, 1);
    revision += 1;
    await eventually(() => assert.ok(changes().length >= revision), soon);
    t.like(changes()[revision - 1], {revision, kind: 'model', subject: model, orgId: null});
  };
  await reaches(`insert into models (id, name, environment) values ($1, 'm', 'production')`);
  await reaches(
    'insert into prices (model_id, version, input_per_million, output_per_million) values ($1, 1, 5, 5)',
  );
  await reaches(
    `insert into endpoints (id, model_id, url, upstream_model) values ($2, $1, 'http://m', 'm')`,
    [model, uuidv7()],
  );
  await reaches(`update models set status = 'disabled' where id = $1`);
  await reaches(`update endpoints set health = 'unhealthy' where model_id = $1`);
  // What a gateway does not read is no change.
  await system.query('update endpoints set health_at = now() where model_id = $1', [model]);
  await system.query(`update models set status = 'disabled' where id = $1`, [model]);
  await reaches('delete from models where id = $1');
});

test('a notification alone brings a change within a second', async t => {
  const database = await createTestDatabase(t);
  const {changes} = await watch(t, database, {intervalMs: never});
  const tenant = await makeTenant(database);
  await tenant.insertOrg();
  await eventually(() => assert.equal(changes().length, 1), soon);
  t.is(changes()[0]?.subject, tenant.org);
});

test('without its notification a change arrives within a second as well', async t => {
  const database = await createTestDatabase(t);
  const {changes} = await watch(t, database);
  const subject = uuidv7();
  await writeSilently(database.pool('superuser'), subject);
  await eventually(() => assert.equal(changes().length, 1), soon);
  t.is(changes()[0]?.subject, subject);
});

test('a watcher whose connection is cut goes on with the next number', async t => {
  const database = await createTestDatabase(t);
  const {told, changes, errors} = await watch(t, database);
  for (let round = 1; round <= 3; round += 1) {
    // The one that was cut is gone a moment after its connection.
    const pids = await eventually(async () => {
      const found = await watchers(database);
      assert.equal(found.length, 1);
      return found;
    });
    await database.pool('superuser').query('select pg_terminate_backend($1)', [pids[0]]);
    await writeSilently(database.pool('superuser'));
    await eventually(() => assert.equal(changes().length, round), soon);
    await eventually(() => assert.ok(errors.length > 0));
  }
  t.is(told.filter(one => one === 'all').length, 1);
  // It listens again: a notification is enough.
  const tenant = await makeTenant(database);
  await tenant.insertOrg();
  await eventually(() => assert.equal(changes().at(-1)?.subject, tenant.org), later);
});

const missesRows = async (t: ExecutionContext, swept: string) => {
  const database = await createTestDatabase(t);
  const {told, changes} = await watch(t, database);
  const client = await database.pool('superuser').connect();
  await client.query('begin');
  for (let revision = 1; revision <= 3; revision += 1) {
    await writeSilently(client);
  }
  await client.query(`delete from changes where ${swept}`);
  await client.query('commit');
  client.release();
  await eventually(() => assert.equal(told.filter(one => one === 'all').length, 2), later);
  t.is(told.at(-1), 'all');
  // And from there on one by one again.
  await writeSilently(database.pool('superuser'));
  await eventually(() => assert.equal(changes().at(-1)?.revision, 4), later);
};

test('swept away before they were read: the first', missesRows, 'revision = 1');
test('swept away before they were read: one in the middle', missesRows, 'revision = 2');
test('swept away before they were read: the last', missesRows, 'revision = 3');
test('swept away before they were read: all', missesRows, 'true');

test('a database that was put back to an earlier state makes everything doubtful', async t => {
  const database = await createTestDatabase(t);
  await writeSilently(database.pool('superuser'));
  const {told} = await watch(t, database);
  await database.pool('superuser').query('update revision set value = 0');
  await eventually(() => assert.equal(told.length, 2), later);
  t.deepEqual(told, ['all', 'all']);
});

test('what its receiver threw over is told again', async t => {
  const database = await createTestDatabase(t);
  const told: unknown[] = [];
  let fails = false;
  const {errors} = await watch(t, database, {
    onChanges: changes => {
      if (fails) {
        fails = false;
        throw new Error('not now');
      }
      told.push(changes);
    },
  });
  fails = true;
  await writeSilently(database.pool('superuser'));
  await eventually(() => assert.equal(told.length, 2), later);
  t.is(errors.at(-1)?.message, 'not now');
  t.like(told[1], [{revision: 1}]);
});

test('no database: the start is over, what is known is infinitely old, and it is told why', async t => {
  const database = await createTestDatabase(t);
  const url = new URL(database.url('gateway'));
  url.port = '1';
  const {watcher, told, errors} = await watch(t, database, {databaseUrl: url.href});
  t.is(watcher.staleSinceMs(), Number.POSITIVE_INFINITY);
  t.deepEqual(told, []);
  t.true(errors.length > 0);
});

test('a database that says nothing makes what is known older, not the watcher wait', async t => {
  const database = await createTestDatabase(t);
  const sockets = new Set<Socket>();
  const silent = createServer(socket => sockets.add(socket.on('error', () => {})));
  await new Promise<void>(resolve => silent.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    silent.close();
  });
  const url = new URL(database.url('gateway'));
  url.hostname = '127.0.0.1';
  url.port = String((silent.address() as {port: number}).port);
  const {watcher, errors} = await watch(t, database, {databaseUrl: url.href, queryTimeoutMs: 50});
  t.is(watcher.staleSinceMs(), Number.POSITIVE_INFINITY);
  t.true(errors.length > 0);
});

test('the age is that of the last read that succeeded', async t => {
  const database = await createTestDatabase(t);
  let now = 1_000;
  const {watcher} = await watch(t, database, {intervalMs: never, now: () => now});
  t.is(watcher.staleSinceMs(), 0);
  now += 700;
  t.is(watcher.staleSinceMs(), 700);
});

test('a closed watcher holds no connection, whatever is still told to it', async t => {
  const database = await createTestDatabase(t);
  const {watcher, told} = await watch(t, database);
  const tenant = await makeTenant(database);
  await Promise.all([tenant.insertOrg(), watcher.close()]);
  const before = told.length;
  await tenant.insertProject();
  await watcher.start();
  await eventually(async () => assert.deepEqual(await watchers(database), []));
  t.is(told.length, before);
});

test('writers that race leave no gap and lose no change', async t => {
  const database = await createTestDatabase(t);
  const {told, changes} = await watch(t, database, {intervalMs: 20});
  const pool = database.pool('system');
  const subjects = new Set<string>();
  /** One transaction: so many inserts, and whether it is taken back. */
  const write = async (rows: number, isTakenBack: boolean) => {
    const client = await pool.connect();
    const ids = Array.from({length: rows}, () => uuidv7());
    await client.query('begin');
    for (const id of ids) {
      await client.query('insert into orgs (id, name) values ($1, $1::uuid::text)', [id]);
    }
    await client.query(isTakenBack ? 'rollback' : 'commit');
    client.release();
    if (!isTakenBack) {
      for (const id of ids) {
        subjects.add(id);
      }
    }
  };
  const writer = fc.array(fc.tuple(fc.integer({min: 1, max: 3}), fc.boolean()), {
    minLength: 25,
    maxLength: 25,
  });
  await fc.assert(
    fc.asyncProperty(fc.tuple(writer, writer, writer, writer), async writers => {
      await Promise.all(
        writers.map(async transactions => {
          for (const [rows, isTakenBack] of transactions) {
            await write(rows, isTakenBack);
          }
        }),
      );
      await eventually(() => assert.equal(changes().length, subjects.size));
      t.deepEqual(
        changes().map(({revision}) => revision),
        Array.from(subjects, (_, index) => index + 1),
      );
      t.deepEqual(
        changes()
          .map(({subject}) => subject)
          .sort(),
        [...subjects].sort(),
      );
    }),
    {numRuns: 2, endOnFailure: true},
  );
  t.is(told.filter(one => one === 'all').length, 1);
});
