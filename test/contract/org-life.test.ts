/** The life of an organisation: suspended, resumed, deleted, restored, purged. */
import assert from 'node:assert/strict';
import {fork} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {createPool} from '../../events/database.ts';
import {uuidv7} from '../../events/uuid.ts';
import {purgeDue, purgeOnTick} from '../../functions/admin/tenants/purge.ts';
import {type AdminServer, startAdmin} from '../helpers/admin-server.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';

const told = async ({database}: AdminServer, org: string) => {
  const {rows} = await database
    .pool('superuser')
    .query<{event: {type: string; data: object}}>(
      `select event from outbox where org_id = $1 and event ->> 'type' like 'dev.sluice.org.%' order by id`,
      [org],
    );
  return rows.map(({event}) => [event.type.slice('dev.sluice.org.'.length), event.data]);
};

const cuts = async ({database}: AdminServer) => {
  const {rows} = await database
    .pool('superuser')
    .query<{subject: string}>(`select subject from changes where kind = 'cut' order by revision`);
  return rows.map(({subject}) => subject);
};

const count = async ({database}: AdminServer, text: string, ...values: unknown[]) => {
  const {rows} = await database
    .pool('superuser')
    .query(`select count(*)::int as n ${text}`, values);
  return rows[0].n as number;
};

test('an organisation is suspended and resumed, and each is told once, however often it is asked for', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('one');
  const path = `/admin/v1/orgs/${org}`;
  const first = await admin.call('POST', `${path}/suspend`, {reason: 'unpaid'});
  t.like(first, {status: 200, body: {suspendedReason: 'unpaid'}});
  t.deepEqual(await cuts(admin), []);
  const again = await admin.call('POST', `${path}/suspend`, {now: true});
  t.like(again.body, {suspendedAt: first.body.suspendedAt, suspendedReason: 'unpaid'});
  t.deepEqual(await cuts(admin), [org]);
  for (let times = 0; times < 2; times += 1) {
    const {body} = await admin.call('POST', `${path}/resume`, {});
    t.deepEqual([body.suspendedAt, body.suspendedReason], [undefined, undefined]);
  }
  t.deepEqual(await told(admin, org), [
    ['suspended.v1', {org, now: false, reason: 'unpaid'}],
    ['resumed.v1', {org}],
  ]);
  t.is((await admin.call('POST', `${path}/suspend`, {soon: true})).status, 400);
  t.is((await admin.call('POST', `/admin/v1/orgs/${uuidv7()}/suspend`, {})).status, 404);
});

test('only who runs the platform suspends, deletes, restores and purges', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('one');
  const path = `/admin/v1/orgs/${org}`;
  const owner = {token: await admin.createServiceKey(org, 'owner')};
  const other = await admin.createTenant('other');
  const stranger = {token: await admin.createServiceKey(other.org, 'owner')};
  for (const name of ['suspend', 'resume', 'restore']) {
    t.is((await admin.call('POST', `${path}/${name}`, {}, owner)).status, 403, name);
    t.is((await admin.call('POST', `${path}/${name}`, {}, stranger)).status, 404, name);
  }
  t.is((await admin.call('DELETE', path, undefined, owner)).status, 403);
  t.is((await admin.call('DELETE', path, undefined, stranger)).status, 404);
  t.is((await admin.call('POST', '/admin/v1/orgs/purge', {}, owner)).status, 403);
});

test('who asks sees their own organisations, the operator all', async t => {
  const admin = await startAdmin(t);
  const one = await admin.createTenant('one');
  const two = await admin.createTenant('two');
  const list = async (token?: string) =>
    (await admin.call('GET', '/admin/v1/orgs', undefined, token ? {token} : {})).body.data.map(
      ({id}) => id,
    );
  t.deepEqual(await list(), [one.org, two.org]);
  t.deepEqual(await list(await admin.createServiceKey(one.org, 'viewer')), [one.org]);
  t.deepEqual(await list(await admin.createServiceKey(two.org, 'member', two.project)), [two.org]);
});

test('a deleted organisation is hidden from its users and comes back as it was', async t => {
  const admin = await startAdmin(t);
  const {call, create} = admin;
  const {org, project, key} = await admin.createTenant('one');
  const path = `/admin/v1/orgs/${org}`;
  const owner = {token: await admin.createServiceKey(org, 'owner')};
  await call('POST', `${path}/suspend`, {reason: 'unpaid'});
  const before = (await call('GET', path)).body;
  const deleted = (await call('DELETE', path)).body;
  const retentionMs =
    Date.parse(deleted.purgeAfter as string) - Date.parse(deleted.deletedAt as string);
  t.is(retentionMs, 30 * 86_400_000);
  t.deepEqual(await cuts(admin), [org]);
  t.is((await call('GET', path, undefined, owner)).status, 401);
  const shorter = (await call('DELETE', `${path}?retentionDays=7`)).body;
  t.is(shorter.deletedAt, deleted.deletedAt);
  t.is(
    Date.parse(shorter.purgeAfter as string) - Date.parse(deleted.deletedAt as string),
    7 * 86_400_000,
  );
  for (const days of ['-1', '366', 'never', '1.5']) {
    t.is((await call('DELETE', `${path}?retentionDays=${days}`)).status, 400);
  }
  t.is((await call('POST', `${path}/projects`, {name: 'late'})).status, 409);
  t.is((await call('POST', `/admin/v1/projects/${project}/keys`, {name: 'late'})).status, 409);
  t.is((await call('PATCH', path, {name: 'late'})).status, 409);
  t.is((await call('POST', `${path}/resume`, {})).status, 409);
  t.is((await call('POST', '/admin/v1/orgs', {name: 'one'})).status, 409);
  t.deepEqual((await call('POST', '/admin/v1/orgs/purge', {})).body as object, {
    purged: [],
    more: false,
  });
  t.deepEqual((await call('POST', `${path}/restore`, {})).body, before);
  t.is((await call('GET', `/admin/v1/keys/${key}`, undefined, owner)).status, 200);
  await create(`${path}/projects`, {name: 'again'});
  t.deepEqual(
    (await told(admin, org)).map(([what]) => what),
    ['suspended.v1', 'deleted.v1', 'restored.v1'],
  );
});

/** Two organisations with a row in every table, one user in both, one in the first alone, one who runs the platform. */
const startPurge = async (t: Parameters<typeof startAdmin>[0]) => {
  const admin = await startAdmin(t);
  const root = admin.database.pool('superuser');
  const one = await insertTenantRows(root, 'one');
  const two = await insertTenantRows(root, 'two');
  await root.query('delete from requests where org_id = $1', [one.org]);
  await root.query('delete from members');
  const users = {alone: uuidv7(), both: uuidv7(), operator: uuidv7()};
  for (const [name, id] of Object.entries(users)) {
    await root.query('insert into users (id, email, name, operator) values ($1, $2, $3, $4)', [
      id,
      `${name}@example.org`,
      name,
      name === 'operator',
    ]);
    for (const org of name === 'both' ? [one.org, two.org] : [one.org]) {
      await root.query(
        `insert into members (id, org_id, user_id, role) values (gen_random_uuid(), $1, $2, 'member')`,
        [org, id],
      );
    }
  }
  await root.query(
    `insert into sessions (id, token_hash, user_id, expires_at)
     values (gen_random_uuid(), sha256('x'), $1, now() + interval '1 hour')`,
    [users.alone],
  );
  await root.query(`update usage_records set label = 'of a client'`);
  await root.query(`update top_ups set made_by = 'somebody'`);
  const pool = createPool({
    databaseUrl: admin.database.url('tenant'),
    name: 'admin',
    connectTimeoutMs: 60_000,
  });
  t.teardown(() => pool.end());
  const books = async (org: string) => {
    const {rows} = await root.query(
      `select (select jsonb_agg(to_jsonb(l) order by request) from ledger l where org_id = $1) as ledger,
              (select jsonb_agg(to_jsonb(w) order by id) from windows w where org_id = $1) as windows,
              (select jsonb_agg(to_jsonb(b) order by id) from budgets b where org_id = $1) as budgets,
              (select jsonb_agg(to_jsonb(u) - 'label' order by request) from usage_records u where org_id = $1) as usage`,
      [org],
    );
    return rows[0] as Record<string, unknown[]>;
  };
  /** Every text of every row of the organisation, in the tables that the purge is to empty of names. */
  const words = async (org: string) => {
    const {rows} = await root.query<{text: string | null}>(
      `select string_agg(t, ' ') as text from (
         select to_jsonb(o)::text from orgs o where id = $1 union all select to_jsonb(p)::text from projects p where org_id = $1
         union all select to_jsonb(k)::text from keys k where org_id = $1 union all select to_jsonb(m)::text from members m where org_id = $1
         union all select to_jsonb(g)::text from group_roles g where org_id = $1
         union all select to_jsonb(s)::text from service_keys s where org_id = $1
         union all select to_jsonb(d)::text from dead_letters d where org_id = $1
         union all select to_jsonb(i)::text from idempotency_claims i where org_id = $1
         union all select to_jsonb(r)::text from refusals r where org_id = $1
         union all select to_jsonb(x)::text from top_ups x where org_id = $1
         union all select coalesce(label, '') from usage_records where org_id = $1
         union all select to_jsonb(a)::text from audit a where org_id = $1) as found (t)`,
      [org],
    );
    return rows[0]?.text ?? '';
  };
  return {admin, root, pool, one, two, users, books, words};
};

test('the purge removes people, names and secrets, keeps the books, and leaves every other organisation as it was', async t => {
  const {admin, root, pool, one, two, users, books, words} = await startPurge(t);
  const kept = await books(one.org);
  const others = [await books(two.org), await words(two.org)];
  t.true(Object.values(kept).every(rows => rows.length > 0));
  t.is((await admin.call('DELETE', `/admin/v1/orgs/${one.org}?retentionDays=0`)).status, 200);
  // A step at a time: what one does not reach the next does.
  const purged: string[] = [];
  for (let steps = 0; purged.length === 0; steps += 1) {
    assert.ok(steps < 100);
    const {rows} = await pool.query('select * from purge_step(1)');
    purged.push(...rows.flatMap(({org, done}) => (done ? [org] : [])));
  }
  t.deepEqual(purged, [one.org]);
  t.deepEqual(await books(one.org), kept);
  t.deepEqual([await books(two.org), await words(two.org)], others);
  const left = await words(one.org);
  t.false(/one"|of one|somebody|of a client|example/.test(left), left);
  const {rows} = await root.query<{name: string}>('select name from users order by name');
  t.deepEqual(
    rows.map(({name}) => name).filter(name => name in users),
    ['both', 'operator'],
  );
  t.is(await count(admin, 'from sessions where user_id = $1', users.alone), 0);
  t.is(await count(admin, `from keys where org_id = $1 and revoked_at is null`, one.org), 0);
  t.is(await count(admin, `from audit where org_id = $1`, one.org), 1);
  t.is(
    await count(
      admin,
      `from outbox where org_id = $1 and event -> 'data' ->> 'operation' = 'purgeOrgs'`,
      one.org,
    ),
    1,
  );
  const shown = (await admin.call('GET', `/admin/v1/orgs/${one.org}`)).body;
  t.is(shown.name, 'deleted');
  t.is(typeof shown.purgedAt, 'string');
  t.deepEqual(await purgeDue(pool), {purged: [], more: false});
  t.is((await admin.call('POST', `/admin/v1/orgs/${one.org}/restore`, {})).status, 409);
  t.is((await admin.call('POST', '/admin/v1/orgs', {name: 'one'})).status, 201);
});

test('what the purge has begun to take away is not restored in part, and who is disabled stays so', async t => {
  const {admin, root, pool, one, users} = await startPurge(t);
  await root.query('update users set disabled_at = now() where id = $1', [users.alone]);
  const path = `/admin/v1/orgs/${one.org}`;
  const deleted = (await admin.call('DELETE', `${path}?retentionDays=0`)).body;
  t.deepEqual((await pool.query('select * from purge_step(1)')).rows, [
    {org: one.org, done: false},
  ]);
  const later = await admin.call('DELETE', `${path}?retentionDays=30`);
  t.like(later, {status: 200, body: {purgeAfter: deleted.purgeAfter}});
  t.is((await admin.call('POST', `${path}/restore`, {})).status, 409);
  t.deepEqual(await purgeDue(pool), {purged: [one.org], more: false});
  t.is(await count(admin, 'from users where id = $1 and disabled_at is not null', users.alone), 1);
});

test('a tick purges what is due and nothing else, and of several at once each does its own', async t => {
  const {admin, root, pool, one, two} = await startPurge(t);
  await admin.call('DELETE', `/admin/v1/orgs/${one.org}?retentionDays=0`);
  await admin.call('DELETE', `/admin/v1/orgs/${two.org}?retentionDays=1`);
  const event = {
    specversion: '1.0',
    id: '1',
    source: '/x',
    type: 'dev.knative.sources.ping',
  } as const;
  const tick = purgeOnTick(pool, {auditDays: 400});
  t.deepEqual(await Promise.all([tick(event), tick(event), tick(event)]), [
    undefined,
    undefined,
    undefined,
  ]);
  t.is(await count(admin, 'from orgs where purged_at is not null'), 1);
  await t.throwsAsync(tick({...event, type: 'other'}), {message: /dev.knative.sources.ping/});
  // A request that runs still has its record to come.
  await root.query('update orgs set purge_after = now() where id = $1', [two.org]);
  t.deepEqual(await purgeDue(pool), {purged: [], more: false});
  await root.query('delete from requests where org_id = $1', [two.org]);
  t.deepEqual(await purgeDue(pool), {purged: [two.org], more: false});
});

test('who makes a key while its organisation is deleted and purged is refused, or it is purged with it', async t => {
  const admin = await startAdmin(t);
  const {org, project} = await admin.createTenant('one');
  const answers = await Promise.all(
    Array.from({length: 12}, (_, index) =>
      index === 5
        ? admin.call('DELETE', `/admin/v1/orgs/${org}?retentionDays=0`)
        : index > 8
          ? admin.call('POST', '/admin/v1/orgs/purge', {})
          : admin.call('POST', `/admin/v1/projects/${project}/keys`, {name: 'late'}),
    ),
  );
  t.true(answers.every(({status}) => [200, 201, 409].includes(status)));
  await admin.call('POST', '/admin/v1/orgs/purge', {});
  t.is(await count(admin, `from keys where org_id = $1 and name <> 'deleted'`, org), 0);
  t.is(await count(admin, `from orgs where id = $1 and purged_at is not null`, org), 1);
});

test('the function takes the tick of a PingSource, and no other event', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('one');
  await admin.call('DELETE', `/admin/v1/orgs/${org}?retentionDays=0`);
  const child = fork(fileURLToPath(new URL('../../functions/admin/main.ts', import.meta.url)), {
    env: {
      PORT: '0',
      DATABASE_URL: admin.database.url('tenant'),
      ADMIN_KEY: 'the-admin-key-of-this-test',
      LOG_LEVEL: 'error',
    },
    silent: true,
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  const tick = (type: string) =>
    fetch(`http://127.0.0.1:${listening}/`, {
      method: 'POST',
      headers: {
        'ce-specversion': '1.0',
        'ce-id': '1',
        'ce-source': '/apis/v1/namespaces/sluice/pingsources/admin-purge',
        'ce-type': type,
      },
    });
  t.is((await tick('com.example.other')).status, 422);
  t.is(await count(admin, 'from orgs where purged_at is not null'), 0);
  t.is((await tick('dev.knative.sources.ping')).status, 204);
  t.is(await count(admin, 'from orgs where purged_at is not null'), 1);
});
