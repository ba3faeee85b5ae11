import assert from 'node:assert/strict';
import test from 'ava';
import {startChildAdmin} from '../helpers/admin-child.ts';
import {type AdminServer, startAdmin} from '../helpers/admin-server.ts';
import {eventually} from '../helpers/eventually.ts';

const orgs = '/admin/v1/orgs';

const countOrgs = async ({database}: Pick<AdminServer, 'database'>) => {
  const {rows} = await database.pool('superuser').query('select count(*)::int as count from orgs');
  return rows[0].count as number;
};

test('the same request with the same key is answered the same and done once', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('acme');
  const posts: ReadonlyArray<readonly [path: string, body: object]> = [
    [orgs, {name: 'one'}],
    [`${orgs}/${org}/projects`, {name: 'two'}],
    ['/admin/v1/budgets', {org, unit: 'usd', limit: '5.00', period: 'day'}],
  ];
  for (const [path, body] of posts) {
    const headers = {'idempotency-key': `first ${path}`};
    const first = await admin.call('POST', path, body, {headers});
    const again = await admin.call('POST', path, body, {headers});
    t.is(first.status, 201, first.text);
    t.is(first.headers.get('idempotency-replayed'), null);
    t.is(again.headers.get('idempotency-replayed'), 'true', path);
    t.is(again.text, first.text);
    for (const name of ['etag', 'location']) {
      t.truthy(first.headers.get(name), `${name} of ${path}`);
      t.is(again.headers.get(name), first.headers.get(name));
    }
    t.is(again.status, 201);
  }
  t.is(await countOrgs(admin), 2);
});

test('a key that was used for another body or another route is refused', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('acme');
  const headers = {'idempotency-key': 'k'};
  t.is((await admin.call('POST', orgs, {name: 'one'}, {headers})).status, 201);
  const others: ReadonlyArray<readonly [path: string, body: object]> = [
    [orgs, {name: 'two'}],
    [`${orgs}/${org}/projects`, {name: 'one'}],
  ];
  for (const [path, body] of others) {
    t.like(await admin.call('POST', path, body, {headers}), {
      status: 422,
      body: {code: 'idempotency_key_reused'},
    });
  }
});

test('what was refused is not remembered', async t => {
  const admin = await startAdmin(t);
  await admin.create(orgs, {name: 'taken'});
  const headers = {'idempotency-key': 'k'};
  t.is((await admin.call('POST', orgs, {name: 'taken'}, {headers})).status, 409);
  await admin.database
    .pool('superuser')
    .query("update orgs set name = 'free' where name = 'taken'");
  const answer = await admin.call('POST', orgs, {name: 'taken'}, {headers});
  t.is(answer.status, 201);
  t.is(answer.headers.get('idempotency-replayed'), null);
});

test('a key is of who asks: another has the same text for something else', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('acme');
  const path = `${orgs}/${org}/projects`;
  const headers = {'idempotency-key': 'k'};
  const token = await admin.createServiceKey(org, 'admin');
  t.is((await admin.call('POST', path, {name: 'one'}, {headers})).status, 201);
  const other = await admin.call('POST', path, {name: 'two'}, {headers, token});
  t.is(other.status, 201, other.text);
});

test('a malformed key is 400', async t => {
  const admin = await startAdmin(t);
  for (const key of ['', 'x'.repeat(256), 'tab\tbed']) {
    const answer = await admin.call('POST', orgs, {name: 'a'}, {headers: {'idempotency-key': key}});
    t.like(answer, {status: 400, body: {parameter: 'Idempotency-Key'}});
  }
});

test('of many at once one is done; the others are told that it runs, or its answer', async t => {
  const admin = await startAdmin(t);
  const answers = await Promise.all(
    Array.from({length: 12}, () =>
      admin.call('POST', orgs, {name: 'one'}, {headers: {'idempotency-key': 'k'}}),
    ),
  );
  const created = answers.filter(({status}) => status === 201);
  t.is(new Set(created.map(({text}) => text)).size, 1);
  t.is(created.filter(({headers}) => !headers.has('idempotency-replayed')).length, 1);
  for (const {status, body, headers} of answers.filter(one => one.status !== 201)) {
    t.like({status, body}, {status: 409, body: {code: 'request_in_progress'}});
    t.is(headers.get('retry-after'), '1');
  }
  t.is(await countOrgs(admin), 1);
});

test('an answer with a secret is kept without it, and its replay says so', async t => {
  const admin = await startAdmin(t);
  const {project} = await admin.createTenant('acme');
  const path = `/admin/v1/projects/${project}/keys`;
  const headers = {'idempotency-key': 'k'};
  const first = await admin.call('POST', path, {name: 'one'}, {headers});
  t.regex(String(first.body.key), /^sk-/);
  const again = await admin.call('POST', path, {name: 'one'}, {headers});
  t.like(again, {status: 201, body: {id: first.body.id, secretShown: false}});
  t.false('key' in again.body);
  t.is(again.headers.get('etag'), first.headers.get('etag'));
  const secret = String(first.body.key).split('-').slice(2).join('-');
  const {rows} = await admin.database.pool('superuser').query('select answer::text from answers');
  t.is(rows.length, 1);
  t.false(rows[0].answer.includes(secret));
});

test('an answer is kept for a day, and swept by those that follow', async t => {
  const admin = await startAdmin(t);
  const post = (name: string, key: string) =>
    admin.call('POST', orgs, {name}, {headers: {'idempotency-key': key}});
  await post('one', 'a');
  await post('two', 'b');
  const {rows} = await admin.database
    .pool('superuser')
    .query("update answers set expires_at = expires_at - interval '24 hours' returning expires_at");
  t.true((rows[0].expires_at as Date).getTime() <= Date.now());
  t.is((await post('three', 'a')).status, 201);
  const left = await admin.database.pool('superuser').query('select from answers');
  t.is(left.rowCount, 1);
});

test('who has ten thousand answers kept is refused another, and answered what is kept', async t => {
  const admin = await startAdmin(t);
  const post = (name: string, key: string) =>
    admin.call('POST', orgs, {name}, {headers: {'idempotency-key': key}});
  await post('one', 'a');
  await admin.database.pool('superuser').query(`
    insert into answers (id, actor, fingerprint, answer, expires_at)
    select sha256(n::text::bytea), actor, fingerprint, answer, expires_at from answers, generate_series(1, 9999) n`);
  t.like(await post('two', 'b'), {status: 429, body: {code: 'too_many_requests'}});
  t.is((await post('one', 'a')).status, 201);
});

test('who is killed in between leaves nothing or all, and the request can be made again', async t => {
  const admin = await startAdmin(t);
  const superuser = admin.database.pool('superuser');
  const headers = {'idempotency-key': 'k'};
  await superuser.query(`
    create function hang() returns trigger language plpgsql as $$
    begin
      perform pg_advisory_xact_lock(4711);
      return new;
    end $$`);
  const moments = [
    {trigger: 'trigger hang before insert on orgs', kept: false},
    {trigger: 'trigger hang before insert on answers', kept: false},
    {trigger: 'constraint trigger hang after insert on orgs initially deferred', kept: true},
  ];
  for (const {trigger, kept} of moments) {
    await superuser.query(`create ${trigger} for each row execute function hang()`);
    const holder = await superuser.connect();
    await holder.query('begin');
    await holder.query('select pg_advisory_xact_lock(4711)');
    const child = await startChildAdmin(t, admin.database);
    const sent = child.post(orgs, {name: 'one'}, headers).catch((error: Error) => error);
    const pid = await eventually(async () => {
      const {rows} = await superuser.query<{pid: number}>(
        "select pid from pg_locks where locktype = 'advisory' and objid = 4711 and not granted",
      );
      assert.equal(rows.length, 1);
      return rows[0]?.pid;
    });
    child.kill();
    t.true((await sent) instanceof Error);
    await holder.query('rollback');
    holder.release();
    await eventually(async () => {
      const {rows} = await superuser.query('select from pg_stat_activity where pid = $1', [pid]);
      assert.equal(rows.length, 0);
    });
    await superuser.query(`drop trigger hang on ${/ on (\w+)/.exec(trigger)?.[1]}`);
    const left = await superuser.query(
      'select name from orgs union all select id::text from answers',
    );
    t.is(left.rowCount, kept ? 2 : 0, trigger);
    const again = await admin.call('POST', orgs, {name: 'one'}, {headers});
    t.is(again.status, 201, again.text);
    t.is(again.headers.has('idempotency-replayed'), kept);
    t.is(await countOrgs(admin), 1);
    await superuser.query('delete from answers');
    await superuser.query('delete from orgs');
  }
});
