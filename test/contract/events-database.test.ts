import test, {type ExecutionContext} from 'ava';
import {
  asTenant,
  createPool,
  inTurn,
  refuseSuperuser,
  transactionOn,
} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createTestDatabase, type Role} from '../helpers/database.ts';

const start = async (t: ExecutionContext, role: Role = 'system') => {
  const database = await createTestDatabase(t);
  const broken: Error[] = [];
  const pool = createPool({
    databaseUrl: database.url(role),
    name: 'test',
    connectionsMax: 1,
    onError: error => broken.push(error),
  });
  t.teardown(() => pool.end());
  const orgs = [uuidv7(), uuidv7()] as const;
  for (const org of orgs) {
    await database
      .pool('system')
      .query('insert into orgs (id, name) values ($1, $1::uuid::text)', [org]);
  }
  return {...database, lent: pool, orgs, broken};
};

/** Who the pool's one connection is, outside of a transaction. */
const stateOf = async (pool: {query: (text: string) => Promise<{rows: unknown[]}>}) =>
  (await pool.query(`select current_user as role, current_setting('sluice.org', true) as org`))
    .rows[0];

for (const role of ['tenant', 'system'] as const) {
  test(`a tenant's transaction of the role ${role} sees and writes its organisation only`, async t => {
    const {lent, orgs, pool} = await start(t, role);
    const [mine, other] = orgs;
    const seen = await asTenant(lent)(mine, async client => {
      const {rows} = await client.query('select id from orgs');
      await client.query('update orgs set name = $1', [`renamed ${mine}`]);
      return rows.map(row => row.id);
    });
    t.deepEqual(seen, [mine]);
    const {rows} = await pool('system').query('select name from orgs where id = $1', [other]);
    t.is(rows[0].name, other);
    await t.throwsAsync(
      asTenant(lent)(mine, client =>
        client.query('insert into projects (id, org_id, name) values ($1, $2, $1::uuid::text)', [
          uuidv7(),
          other,
        ]),
      ),
      {message: /row-level security/},
    );
  });

  test(`a tenant's transaction of the role ${role} leaves nothing behind, not after an error either`, async t => {
    const {lent, orgs} = await start(t, role);
    const clean = {role: `sluice_${role}`, org: ''};
    await asTenant(lent)(orgs[0], async () => {});
    t.deepEqual(await stateOf(lent), clean);
    await t.throwsAsync(asTenant(lent)(orgs[0], client => client.query('select 1/0')));
    t.deepEqual(await stateOf(lent), clean);
    await t.throwsAsync(
      asTenant(lent)(orgs[0], async () => {
        throw new Error('no');
      }),
    );
    t.deepEqual(await stateOf(lent), clean);
  });
}

test('without an organisation a tenant sees nothing', async t => {
  const {lent} = await start(t, 'tenant');
  t.is((await lent.query('select id from orgs')).rowCount, 0);
});

test('an organisation that is no UUID is an error, not everything', async t => {
  const {lent} = await start(t, 'tenant');
  await t.throwsAsync(
    asTenant(lent)("' or true", client => client.query('select * from orgs')),
    {
      message: /invalid input syntax for type uuid/,
    },
  );
});

test('the gateway may not become a tenant', async t => {
  const {lent, orgs} = await start(t, 'gateway');
  await t.throwsAsync(
    asTenant(lent)(orgs[0], async () => {}),
    {message: /permission denied/},
  );
});

for (const role of ['tenant', 'gateway', 'system', 'owner'] as const) {
  test(`the role ${role} is bound by policies, and taken`, async t => {
    const {lent} = await start(t, role);
    await t.notThrowsAsync(refuseSuperuser(lent));
  });
}

test('a superuser is refused, by name', async t => {
  const {lent} = await start(t, 'superuser');
  await t.throwsAsync(refuseSuperuser(lent), {message: /no row-level policy binds/});
});

test('a transaction is there as a whole or not at all', async t => {
  const {lent, pool} = await start(t);
  const insert = (fails: boolean) =>
    transactionOn(lent)(async client => {
      const name = uuidv7();
      await client.query('insert into orgs (id, name) values ($1, $1::uuid::text)', [name]);
      if (fails) {
        throw new Error('no');
      }
      return name;
    });
  const count = async () =>
    Number((await pool('system').query('select count(*) from orgs')).rows[0].count);
  await t.throwsAsync(insert(true), {message: 'no'});
  t.is(await count(), 2);
  t.is((await insert(false)).length, 36);
  t.is(await count(), 3);
});

test('a transaction whose statement failed is not taken for committed, whoever swallowed the error', async t => {
  const {lent} = await start(t);
  const work = transactionOn(lent)(async client => {
    await client.query('select 1/0').catch(() => {});
    return 'done';
  });
  await t.throwsAsync(work, {message: /rolled back/});
  t.is((await lent.query('select 1')).rowCount, 1);
});

test('a connection that is cut in a transaction is an error of that transaction, and the next one has another', async t => {
  const {lent, pool} = await start(t);
  const pid = async (client: {query: (text: string) => Promise<{rows: {pid: number}[]}>}) =>
    (await client.query('select pg_backend_pid() as pid')).rows[0]?.pid;
  let first: number | undefined;
  // What it says depends on how far the news of the cut has come.
  await t.throwsAsync(
    transactionOn(lent)(async client => {
      first = await pid(client);
      await pool('superuser').query('select pg_terminate_backend($1)', [first]);
      await client.query('select 1');
    }),
  );
  t.not(await pid(lent), first);
});

test('a statement that takes too long is an error', async t => {
  const {url} = await start(t);
  const pool = createPool({databaseUrl: url('system'), name: 'test', statementTimeoutMs: 50});
  t.teardown(() => pool.end());
  await t.throwsAsync(pool.query('select pg_sleep(10)'), {message: /statement timeout/});
});

test('a process that is frozen in a transaction loses it, and its locks with it', async t => {
  const {url, lent, orgs} = await start(t);
  const frozen = createPool({databaseUrl: url('system'), name: 'test', idleTransactionMs: 2_000});
  t.teardown(() => frozen.end());
  const rename = 'update orgs set name = $2 where id = $1';
  const holding = Promise.withResolvers<void>();
  const thawed = Promise.withResolvers<void>();
  const lost = transactionOn(frozen)(async client => {
    await client.query(rename, [orgs[0], 'of the frozen']);
    holding.resolve();
    await thawed.promise;
    await client.query(rename, [orgs[0], 'too late']);
  });
  await Promise.race([holding.promise, lost]);
  // Waits for the row's lock as long as the frozen one has it.
  await lent.query(rename, [orgs[0], 'of another']);
  thawed.resolve();
  await t.throwsAsync(lost);
  const {rows} = await lent.query('select name from orgs where id = $1', [orgs[0]]);
  t.is(rows[0].name, 'of another');
});

test('integers of 8 bytes are bigint, dates are texts', async t => {
  const {lent} = await start(t);
  const {rows} = await lent.query(
    "select 9007199254740993::bigint as big, 5 as small, '2026-11-01'::date as day",
  );
  t.deepEqual(rows, [{big: 9_007_199_254_740_993n, small: 5, day: '2026-11-01'}]);
});

for (const pipeline of [false, true]) {
  test(`statements sent in turn see each other; one that fails leaves nothing of any, ${pipeline ? 'in a pipeline' : 'one by one'}`, async t => {
    const {pool, url, orgs} = await start(t);
    const lent = createPool({
      databaseUrl: url('system'),
      name: 'test',
      connectionsMax: 1,
      pipeline,
    });
    t.teardown(() => lent.end());
    const [org] = orgs;
    const [first, second, third] = [uuidv7(), uuidv7(), uuidv7()];
    const text = 'insert into projects (id, org_id, name) values ($1, $2, $1::uuid::text)';
    const count = async (client: Parameters<typeof inTurn>[0]) =>
      (await client.query('select count(*)::int as count from projects')).rows[0].count as number;
    const results = await transactionOn(lent)(client =>
      inTurn(client, [
        () => count(client),
        () => client.query(text, [first, org]),
        () => count(client),
      ]),
    );
    t.deepEqual([results[0], results[2]], [0, 1]);
    await t.throwsAsync(
      transactionOn(lent)(client =>
        inTurn(client, [
          () => client.query(text, [second, org]),
          () => client.query(text, [first, org]),
          () => client.query(text, [third, org]),
        ]),
      ),
      {message: /duplicate key/},
    );
    t.is(await count(pool('system')), 1);
    t.is(await count(lent), 1);
  });
}
