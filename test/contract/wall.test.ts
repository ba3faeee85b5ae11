import test, {type ExecutionContext} from 'ava';
import type pg from 'pg';
import {asTenant} from '../../events/database.ts';
import {createTestDatabase, type TestDatabase} from '../helpers/database.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';
import {checkWall, findTables, roles} from '../helpers/wall.ts';

type Policy = {name: string; table: string; command: string; role: string};

const setUp = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const pool = database.pool('superuser');
  const own = await insertTenantRows(pool, 'own');
  const other = await insertTenantRows(pool, 'other');
  return {database, orgs: {own: own.org, other: other.org}};
};

/** Runs work in a transaction that is undone. */
const undone = async <Result>(
  database: TestDatabase,
  work: (client: pg.PoolClient) => Promise<Result>,
): Promise<Result> => {
  const client = await database.pool('superuser').connect();
  try {
    await client.query('begin');
    return await work(client);
  } finally {
    await client.query('rollback');
    client.release();
  }
};

const policiesOf = async (database: TestDatabase) => {
  const {rows} = await database.pool('superuser').query<Policy>(
    `select policyname as name, tablename as table, cmd as command, array_to_string(roles, ',') as role
     from pg_policies where schemaname = 'public' order by 2, 1`,
  );
  return rows;
};

test('every role sees and does what it is granted, and a tenant only in its own organisation', async t => {
  const {database, orgs} = await setUp(t);
  t.deepEqual(await undone(database, client => checkWall(client, orgs)), []);
});

test('every table under the wall has a row of both organisations, or the wall would hold nothing', async t => {
  const {database, orgs} = await setUp(t);
  const pool = database.pool('superuser');
  const tables = (
    await pool.connect().then(async client => {
      const found = await findTables(client);
      client.release();
      return found;
    })
  ).filter(table => table.protected);
  t.true(tables.length >= 13);
  for (const {name, column} of tables) {
    const {rows} = await pool.query(
      `select count(distinct ${column})::int as count from ${name} where ${column} = any($1)`,
      [Object.values(orgs)],
    );
    t.is(rows[0].count, 2, name);
  }
});

test('the wall falls when any one policy is dropped', async t => {
  const {database, orgs} = await setUp(t);
  const policies = await policiesOf(database);
  t.true(policies.length >= 30);
  for (const {name, table} of policies) {
    const complaints = await undone(database, async client => {
      await client.query(`drop policy ${name} on ${table}`);
      return checkWall(client, {...orgs, only: table});
    });
    t.not(complaints.length, 0, `nobody noticed that ${name} was dropped`);
  }
});

test('the wall falls when any one policy of a tenant lets everything through', async t => {
  const {database, orgs} = await setUp(t);
  const policies = (await policiesOf(database)).filter(({role}) => role === 'sluice_tenant');
  t.true(policies.length >= 13);
  for (const {name, table, command} of policies) {
    const open = [
      command === 'INSERT' ? '' : 'using (true)',
      command === 'SELECT' ? '' : 'with check (true)',
    ];
    const complaints = await undone(database, async client => {
      await client.query(`alter policy ${name} on ${table} ${open.join(' ')}`);
      return checkWall(client, {...orgs, only: table});
    });
    t.not(complaints.length, 0, `nobody noticed that ${name} was opened`);
  }
});

test('the wall falls when row-level security is off on any one table, or a table comes without it', async t => {
  const {database, orgs} = await setUp(t);
  const tables = await undone(database, findTables);
  for (const {name} of tables.filter(table => table.protected)) {
    const complaints = await undone(database, async client => {
      await client.query(`alter table ${name} disable row level security`);
      return checkWall(client, {...orgs, only: name});
    });
    t.not(complaints.length, 0, `nobody noticed that ${name} is open`);
  }
  const complaints = await undone(database, async client => {
    await client.query('create table notes (id uuid primary key, org_id uuid not null)');
    return checkWall(client, {...orgs, only: 'notes'});
  });
  t.deepEqual(complaints, ['notes has rows of organisations and no row-level security']);
});

test('a gateway can update and delete nothing, in no table there is', async t => {
  const {database} = await setUp(t);
  const pool = database.pool('gateway');
  for (const {name} of await undone(database, findTables)) {
    const {rows} = await database
      .pool('superuser')
      .query<{column: string}>(
        `select quote_ident(attname) as column from pg_attribute where attrelid = $1::regclass and attnum > 0 and attidentity = '' limit 1`,
        [name],
      );
    const column = rows[0]?.column;
    for (const text of [
      `update ${name} set ${column} = ${column}`,
      `delete from ${name}`,
      `truncate ${name}`,
    ]) {
      await t.throwsAsync(pool.query(text), {code: '42501'}, text);
    }
  }
});

test("another organisation's project, key or budget cannot be referred to past the policies", async t => {
  const database = await createTestDatabase(t);
  const own = await insertTenantRows(database.pool('superuser'), 'own');
  const other = await insertTenantRows(database.pool('superuser'), 'other');
  const user = own.user;
  const statements: ReadonlyArray<readonly [text: string, subject: string]> = [
    [
      `insert into members (id, org_id, project_id, user_id, role)
       values (gen_random_uuid(), $1, $2, '${user}', 'viewer')`,
      other.project,
    ],
    [
      `insert into group_roles (id, org_id, project_id, group_name, role)
       values (gen_random_uuid(), $1, $2, 'x', 'viewer')`,
      other.project,
    ],
    [
      `insert into service_keys (id, org_id, project_id, public_id, secret_hash, name, role)
       values (gen_random_uuid(), $1, $2, 'x', sha256(''), 'x', 'viewer')`,
      other.project,
    ],
    [
      `insert into keys (id, org_id, project_id, public_id, secret_hash, name)
       values (gen_random_uuid(), $1, $2, 'x', sha256(''), 'x')`,
      other.project,
    ],
    [
      `insert into budgets (id, org_id, project_id, unit, "limit", period)
       values (gen_random_uuid(), $1, $2, 'usd', 1, 'day')`,
      other.project,
    ],
    [
      `insert into budgets (id, org_id, key_id, unit, "limit", period)
       values (gen_random_uuid(), $1, $2, 'usd', 1, 'day')`,
      other.key,
    ],
  ];
  for (const [text, subject] of statements) {
    const client = await database.pool('tenant').connect();
    await client.query('begin');
    await client.query("select set_config('sluice.org', $1, true)", [own.org]);
    await t.throwsAsync(client.query(text, [own.org, subject]), {code: '23503'}, text);
    await client.query('rollback');
    client.release();
  }
});

test('a function that looks past the policies is not misled by a table that its caller makes', async t => {
  const database = await createTestDatabase(t);
  const {org} = await insertTenantRows(database.pool('superuser'), 'own');
  const client = await database.pool('tenant').connect();
  await client.query(`
    create temporary table revision (only_row boolean, value bigint);
    insert into revision values (true, 1000000);
    grant all on revision to public;
    create function pg_temp.grab() returns trigger language plpgsql as
      $$ begin perform set_config('test.grabbed', current_user, false); return new; end $$;
    create trigger grab before update on revision for each row execute function pg_temp.grab();`);
  await client.query("select set_config('sluice.org', $1, false)", [org]);
  const grabbed = async () => {
    await client.query('select cut_running($1)', [org]);
    const {rows} = await client.query("select current_setting('test.grabbed', true) as role");
    return rows[0]?.role;
  };
  const root = database.pool('superuser');
  t.falsy(await grabbed());
  await root.query('alter function cut_running(uuid) set search_path = public');
  t.is(await grabbed(), 'sluice_owner', 'what it would be otherwise');
  await root.query('alter function cut_running(uuid) set search_path = public, pg_temp');
  client.release(true);
  const found = await root.query<{name: string}>(
    `select proname as name from pg_proc
     where pronamespace = 'public'::regnamespace and prosecdef and 'search_path=public, pg_temp' <> all (coalesce(proconfig, '{}'))`,
  );
  t.deepEqual(found.rows, []);
});

test('the functions that look past the policies are executed by those who need them', async t => {
  const database = await createTestDatabase(t);
  const {rows} = await database.pool('superuser').query<{name: string; roles: string[]}>(
    `select p.proname as name,
            array(select r from unnest($1::text[]) r
                  where has_function_privilege('sluice_' || r, p.oid, 'execute') order by 1) as roles
     from pg_proc p where p.pronamespace = 'public'::regnamespace and p.prosecdef order by 1`,
    [roles],
  );
  t.deepEqual(Object.fromEntries(rows.map(({name, roles: who}) => [name, who.join(' ')])), {
    actor_of_service_key: 'system tenant',
    actor_of_session: 'system tenant',
    actor_of_subject: 'system tenant',
    announce_audit: '',
    append_audit: '',
    begin_fences: 'gateway system',
    begin_settlements: 'gateway system',
    change_user: 'tenant',
    claim_answer: 'system tenant',
    claim_request: 'gateway',
    create_login_link: 'tenant',
    create_user: 'tenant',
    cut_running: 'tenant',
    delete_user: 'tenant',
    end_session: 'tenant',
    finish_claim: 'gateway',
    follow_limit: '',
    forget_audit: 'system tenant',
    forget_old: 'system',
    grants_of: '',
    invite_user: 'tenant',
    keep_an_owner: '',
    keep_answer: 'system tenant',
    lease_work: 'gateway',
    list_all_audit: 'system tenant',
    list_members: 'tenant',
    list_orgs: 'tenant',
    list_users: 'tenant',
    lock_user: 'tenant',
    names_of: 'tenant',
    open_month: 'system',
    org_of: 'system tenant',
    org_of_request: 'tenant',
    outbox_backlog: 'gateway system',
    purge_step: 'tenant',
    recalled_leases: 'gateway',
    record_audit: '',
    record_change: '',
    record_letter_audit: '',
    refuse_deleted: '',
    release_claim: 'gateway',
    remove_group_role: 'tenant',
    remove_member: 'tenant',
    retain_usage: 'system',
    scope_of: 'system tenant',
    service_key_used: 'system tenant',
    show_session: 'tenant',
    sign_in: 'tenant',
    start_session: 'tenant',
    top_up: 'tenant',
    use_login_link: 'tenant',
  });
});

test('no role is above the policies, and none but system may become another: a tenant', async t => {
  const database = await createTestDatabase(t);
  const {rows} = await database.pool('superuser').query(
    `select r.rolname as name, r.rolsuper or r.rolbypassrls or r.rolcreaterole or r.rolcreatedb as above,
            array(select o.rolname::text from pg_roles o where o.oid <> r.oid and pg_has_role(r.oid, o.oid, 'set')) as others
     from pg_roles r where r.rolname = any($1)`,
    [roles.map(role => `sluice_${role}`)],
  );
  t.deepEqual(rows.map(({name, above, others}) => [name, above, others]).toSorted(), [
    ['sluice_gateway', false, []],
    ['sluice_system', false, ['sluice_tenant']],
    ['sluice_tenant', false, []],
  ]);
});

test("a tenant's work cannot send what carries truth, nor anything for another organisation", async t => {
  const {database, orgs} = await setUp(t);
  const send = (destination: string, org: string) =>
    asTenant(database.pool('tenant'))(orgs.own, client =>
      client.query(
        `insert into outbox (destination, org_id, source, event_id, event) values ($1, $2, '/x', gen_random_uuid(), '{}')`,
        [destination, org],
      ),
    );
  await t.notThrowsAsync(send('broker:default', orgs.own));
  await t.throwsAsync(send('log:sluice.usage', orgs.own), {message: /row-level security/});
  await t.throwsAsync(send('broker:default', orgs.other), {message: /row-level security/});
});
