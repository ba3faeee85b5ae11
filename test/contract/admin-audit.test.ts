import {readFileSync} from 'node:fs';
import {Ajv2020} from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import test from 'ava';
import {readJson as readEvent} from '../../events/codec.ts';
import {uuidv7} from '../../events/uuid.ts';
import {purgeOnTick} from '../../functions/admin/tenants/purge.ts';
import {type AdminServer, startAdmin} from '../helpers/admin-server.ts';

const audit = '/admin/v1/audit';
const schemaFile = new URL('../../schemas/events/audit.recorded.v1.json', import.meta.url);

const rowsOf = async ({database}: AdminServer, text: string, values: unknown[] = []) =>
  (await database.pool('superuser').query(text, values)).rows;

test('an entry says who changed what, with what was before and after, as the API writes it', async t => {
  const admin = await startAdmin(t);
  const {org, budget} = await admin.createTenant('acme');
  const token = await admin.createServiceKey(org, 'admin');
  const project = await admin.create(`/admin/v1/orgs/${org}/projects`, {name: 'one'});
  const path = `/admin/v1/projects/${project.id}`;
  const trace = '0af7651916cd43dd8448eb211c80319c';
  const headers = {traceparent: `00-${trace}-b7ad6b7169203331-00`};
  await admin.call('PATCH', path, {keepResults: true, requestsPerMinute: 7}, {token, headers});
  await admin.call('PATCH', `/admin/v1/budgets/${budget}`, {limit: '7.5'});
  const ofProject = await admin.call('GET', `${audit}?org=${org}&subject=${project.id}`);
  t.like(ofProject.body.data, [
    {
      operation: 'changeProject',
      subjectKind: 'project',
      actor: {kind: 'service', name: 'a admin'},
      before: {keepResults: false, requestsPerMinute: null},
      after: {keepResults: true, requestsPerMinute: 7, org},
    },
    {operation: 'createProject', actor: {kind: 'operator', id: 'admin-key'}, after: {name: 'one'}},
  ]);
  t.is(ofProject.body.data.length, 2);
  t.regex(String(ofProject.body.data[0]?.clientAddress), /127\.0\.0\.1/);
  t.is(ofProject.body.data[0]?.request, trace, 'as the log line of the request names it');
  const ofBudget = await admin.call('GET', `${audit}?org=${org}&operation=changeBudget`);
  t.like(ofBudget.body.data, [{before: {limit: '5.00'}, after: {limit: '7.50'}}]);
});

test('no role of a function changes an entry or takes one away', async t => {
  const {database, createTenant} = await startAdmin(t);
  const {org} = await createTenant('acme');
  for (const role of ['tenant', 'system', 'gateway'] as const) {
    for (const text of [
      'delete from audit',
      "update audit set actor_name = 'nobody'",
      `insert into audit (org_id, actor_kind, actor_id, actor_name, operation, subject_kind, subject)
       values ('${org}', 'user', 'x', 'x', 'x', 'org', '${org}')`,
    ]) {
      await t.throwsAsync(database.pool(role).query(text), {code: '42501'}, `${role}: ${text}`);
    }
  }
});

test('what changes nothing is no entry', async t => {
  const admin = await startAdmin(t);
  const {org, project} = await admin.createTenant('acme');
  const count = async () => (await admin.call('GET', `${audit}?org=${org}`)).body.data.length;
  const before = await count();
  await admin.call('PATCH', `/admin/v1/projects/${project}`, {keepResults: false});
  await admin.call('POST', `/admin/v1/orgs/${org}/projects`, {name: 'acme'});
  t.is(await count(), before);
});

test('entries are filtered by each of their parts', async t => {
  const admin = await startAdmin(t);
  const {org, project, budget} = await admin.createTenant('acme');
  await admin.createTenant('zebra');
  const token = await admin.createServiceKey(org, 'admin');
  await admin.call('PATCH', `/admin/v1/projects/${project}`, {keepResults: true}, {token});
  const all = (await admin.call('GET', audit)).body.data;
  const own = all.filter(entry => entry.org === org);
  const instants = own.map(entry => String(entry.at)).toSorted();
  const filters: ReadonlyArray<readonly [query: string, expected: typeof all]> = [
    ['', own],
    [`&actor=admin-key`, own.filter(entry => entry.operation !== 'changeProject')],
    [`&actor=a%20admin`, own.filter(entry => entry.operation === 'changeProject')],
    [`&operation=createKey`, own.filter(entry => entry.operation === 'createKey')],
    [`&subjectKind=budget`, own.filter(entry => entry.subject === budget)],
    [`&subject=${project}`, own.filter(entry => entry.subject === project)],
    [`&from=${instants[2]}`, own.filter(entry => String(entry.at) >= (instants[2] as string))],
    [`&to=${instants[2]}`, own.filter(entry => String(entry.at) < (instants[2] as string))],
    [`&to=2020-01-01`, []],
    [`&subject=${uuidv7()}`, []],
  ];
  for (const [query, expected] of filters) {
    const {body} = await admin.call('GET', `${audit}?org=${org}${query}`);
    t.deepEqual(body.data, expected, query);
  }
  t.true(all.length > own.length);
  t.deepEqual(
    all.map(({id}) => id),
    all
      .map(({id}) => id)
      .toSorted()
      .toReversed(),
  );
});

test('entries are for admins of their organisation; without one, for the operator', async t => {
  const admin = await startAdmin(t);
  const one = await admin.createTenant('acme');
  const other = await admin.createTenant('zebra');
  await admin.create('/admin/v1/users', {email: 'ada@example.org', name: 'Ada'});
  const [entry] = (await admin.call('GET', `${audit}?org=${one.org}`)).body.data;
  const [ofNone] = (await admin.call('GET', `${audit}?operation=createUser`)).body.data;
  t.is(ofNone?.org, undefined);
  const get = async (path: string, token: string) =>
    (await admin.call('GET', path, undefined, {token})).status;
  const roles = {viewer: 403, member: 403, admin: 200, owner: 200} as const;
  for (const [role, status] of Object.entries(roles)) {
    const token = await admin.createServiceKey(one.org, role as keyof typeof roles);
    t.is(await get(`${audit}?org=${one.org}`, token), status, role);
    t.is(await get(`${audit}/${entry?.id}`, token), status, role);
    t.is(await get(`${audit}?org=${other.org}`, token), 404, role);
    t.is(await get(`${audit}/${ofNone?.id}`, token), 404, role);
    t.is(await get(audit, token), 403, role);
    const stranger = await admin.createServiceKey(other.org, role as keyof typeof roles);
    t.is(await get(`${audit}/${entry?.id}`, stranger), 404, role);
  }
  const inProject = await admin.createServiceKey(one.org, 'owner', one.project);
  t.is(await get(`${audit}?org=${one.org}`, inProject), 403);
  t.is((await admin.call('GET', `${audit}/${ofNone?.id}`)).status, 200);
  t.is((await admin.call('GET', `${audit}/${uuidv7()}`)).status, 404);
});

test('the event of an entry is in its transaction, is one of ours and of its schema', async t => {
  const admin = await startAdmin(t);
  const {org, project} = await admin.createTenant('acme');
  await admin.create('/admin/v1/users', {email: 'ada@example.org', name: 'Ada'});
  const rows = await rowsOf(
    admin,
    "select org_id, destination, event::text as event from outbox where event ->> 'type' = 'dev.sluice.audit.recorded.v1' order by id",
  );
  const validator = new Ajv2020({strict: false});
  formats.default(validator);
  const isOfSchema = validator.compile(JSON.parse(readFileSync(schemaFile, 'utf8')));
  const entries = (await admin.call('GET', audit)).body.data;
  t.is(rows.length, entries.length);
  for (const row of rows) {
    const event = readEvent(Buffer.from(row.event));
    const entry = entries.find(({id}) => `audit/${id}` === event.id);
    const {id, org: ofOrg, at, clientAddress, ...data} = entry as NonNullable<typeof entry>;
    t.is(row.destination, 'broker:default');
    t.is(row.org_id, ofOrg ?? null);
    t.like(event, {
      specversion: '1.0',
      source: '/functions/admin',
      subject: data.subject,
      time: at,
      datacontenttype: 'application/json',
      orgid: ofOrg,
      partitionkey: ofOrg,
    });
    t.deepEqual(event.data, {audit: id, ...data});
    t.true(isOfSchema(event.data), JSON.stringify(isOfSchema.errors));
  }
  const ofKey = rows
    .map(row => JSON.parse(row.event))
    .find(event => event.data.subjectKind === 'key');
  t.like(ofKey, {orgid: org, projectid: project});
});

test('what is too large for an event is in the entry alone', async t => {
  const admin = await startAdmin(t);
  const {project} = await admin.createTenant('acme');
  const models = Array.from({length: 400}, (_, index) => `${index}`.padStart(150, 'm'));
  const {id} = await admin.create(`/admin/v1/projects/${project}/keys`, {name: 'large', models});
  await admin.call('PATCH', `/admin/v1/keys/${id}`, {maxOutputTokens: 5});
  const [row] = await rowsOf(
    admin,
    "select event from outbox where event ->> 'subject' = $1 and event -> 'data' ->> 'operation' = 'changeKey'",
    [id],
  );
  t.true(row.event.data.partial);
  t.false('after' in row.event.data);
  const {body} = await admin.call('GET', `${audit}/${row.event.data.audit}`);
  t.deepEqual((body.after as {models: string[]}).models, models);
});

test('a change that is undone leaves no entry and no event', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('acme');
  const count = async () =>
    (
      await rowsOf(
        admin,
        'select (select count(*) from audit) + (select count(*) from outbox) as n',
      )
    )[0].n;
  const before = await count();
  await admin.database.pool('superuser').query(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
    create constraint trigger refuse after insert on projects initially deferred for each row execute function refuse()`);
  const answer = await admin.send('POST', `/admin/v1/orgs/${org}/projects`, {name: 'b'});
  t.is(answer.status, 500);
  t.is(await count(), before);
});

test('what is older than it is kept for goes, and nothing that is younger than a month can', async t => {
  const admin = await startAdmin(t);
  await admin.createTenant('acme');
  const superuser = admin.database.pool('superuser');
  await superuser.query(
    "update audit set at = now() - interval '401 days' where operation = 'createKey'",
  );
  const forget = (days: number) =>
    admin.database.pool('tenant').query('select forget_audit($1) as forgotten', [days]);
  const {rows} = await forget(400);
  t.is(rows[0].forgotten, 1);
  t.is((await rowsOf(admin, "select from audit where operation = 'createKey'")).length, 0);
  t.true((await rowsOf(admin, 'select from audit')).length > 0);
  await t.throwsAsync(forget(29), {message: /30 days/});
});

test('the daily tick forgets what is older than the setting says', async t => {
  const admin = await startAdmin(t);
  await admin.createTenant('acme');
  const superuser = admin.database.pool('superuser');
  await superuser.query(
    "update audit set at = now() - interval '45 days' where operation = 'createKey'",
  );
  const tick = {
    specversion: '1.0',
    id: '1',
    source: '/tick',
    type: 'dev.knative.sources.ping',
  } as const;
  const left = async () =>
    (await rowsOf(admin, "select from audit where operation = 'createKey'")).length;
  await purgeOnTick(admin.database.pool('tenant'))(tick);
  t.is(await left(), 1);
  await purgeOnTick(admin.database.pool('tenant'), {auditDays: 40})(tick);
  t.is(await left(), 0);
});
