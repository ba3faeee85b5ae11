import test, {type ExecutionContext} from 'ava';
import {ill, makeBody} from '../helpers/registry.ts';
import {startWholeAdmin} from '../helpers/whole-admin.ts';

const resources = async (t: ExecutionContext) => {
  const admin = await startWholeAdmin(t);
  const {org, project, key, budget} = await admin.createTenant('acme');
  const {id: user} = await admin.create('/admin/v1/users', {email: 'a@example.org', name: 'A'});
  const {id: member} = await admin.create(`/admin/v1/orgs/${org}/members`, {
    email: 'b@example.org',
    role: 'viewer',
  });
  const {id: group} = await admin.create(`/admin/v1/orgs/${org}/group-roles`, {
    group: 'g',
    role: 'viewer',
  });
  const {id: model} = await admin.create('/admin/v1/models', makeBody());
  return {
    admin,
    org,
    key,
    budget,
    all: [
      {path: `/admin/v1/orgs/${org}`, change: {requestsPerMinute: 7}},
      {path: `/admin/v1/projects/${project}`, change: {keepResults: true}},
      {path: `/admin/v1/keys/${key}`, change: {maxOutputTokens: 9}},
      {path: `/admin/v1/budgets/${budget}`, change: {paused: true}},
      {path: `/admin/v1/users/${user}`, change: {name: 'B'}},
      {path: `/admin/v1/members/${member}`, change: {role: 'member'}},
      {path: `/admin/v1/group-roles/${group}`, change: {role: 'member'}},
      {path: `/admin/v1/models/${model}`, change: {requestsPerMinute: 7}},
    ],
  };
};

const tagOf = ({headers}: {headers: Headers}) => headers.get('etag') as string;

test('who has the state that there is gets 304, and who changes another one 412', async t => {
  const {admin, all} = await resources(t);
  for (const {path, change} of all) {
    const tag = tagOf(await admin.call('GET', path));
    t.regex(tag, /^"[A-Za-z0-9_-]{27}"$/);
    for (const known of [tag, '*', `W/${tag}`, `"other", ${tag}`]) {
      const answer = await admin.call('GET', path, undefined, {headers: {'if-none-match': known}});
      t.is(answer.status, 304, `${path} ${known}`);
      t.is(tagOf(answer), tag);
      t.is(answer.text, '');
    }
    const other = {headers: {'if-none-match': '"other"'}};
    t.is((await admin.call('GET', path, undefined, other)).status, 200);
    const headers: ReadonlyArray<Record<string, string>> = [
      {'if-match': '"other"'},
      {'if-match': `W/${tag}`},
      {'if-none-match': '*'},
    ];
    for (const header of headers) {
      const answer = await admin.call('PATCH', path, change, {headers: header});
      t.like(answer, {status: 412, body: {code: 'precondition_failed'}}, JSON.stringify(header));
    }
    const changed = await admin.call('PATCH', path, change, {headers: {'if-match': tag}});
    t.is(changed.status, 200, changed.text);
    t.not(tagOf(changed), tag, path);
    t.is(tagOf(await admin.call('GET', path)), tagOf(changed), path);
    t.is((await admin.call('PATCH', path, change, {headers: {'if-match': tag}})).status, 412);
    t.is((await admin.call('PATCH', path, change, {headers: {'if-match': '*'}})).status, 200);
  }
});

test('of two who change the same state at once one wins', async t => {
  const {admin, all} = await resources(t);
  for (const {path, change} of all) {
    const headers = {'if-match': tagOf(await admin.call('GET', path))};
    const answers = await Promise.all(
      Array.from({length: 4}, () => admin.call('PATCH', path, change, {headers})),
    );
    t.deepEqual(answers.map(({status}) => status).sort(), [200, 412, 412, 412], path);
  }
});

test('money that is spent is no other state of a budget', async t => {
  const {admin, budget} = await resources(t);
  const path = `/admin/v1/budgets/${budget}`;
  const before = await admin.call('GET', path);
  await admin.database.pool('superuser').query(
    `insert into windows (id, org_id, budget_id, starts_at, ends_at, "limit", ceiling, spent)
     select gen_random_uuid(), b.org_id, b.id, w.starts_at, w.ends_at, b."limit", b."limit", 1000000000
     from budgets b, window_bounds(b.period, b.time_zone, now()) w where b.id = $1`,
    [budget],
  );
  const after = await admin.call('GET', path);
  t.is(after.body.spent, '1.00');
  t.is(tagOf(after), tagOf(before));
  await admin.create(`${path}/top-ups`, {amount: '1.00'});
  t.not(tagOf(await admin.call('GET', path)), tagOf(before));
});

test('If-Match counts before If-None-Match', async t => {
  const {admin, all} = await resources(t);
  const {path} = all[0] as (typeof all)[number];
  const status = async (match: string) =>
    (await admin.call('GET', path, undefined, {headers: {'if-match': match, 'if-none-match': '*'}}))
      .status;
  t.is(await status('malformed'), 400);
  t.is(await status('"other"'), 412);
  t.is(await status('*'), 304);
  const headers = {'if-match': '"other"', 'if-none-match': 'malformed'};
  t.is((await admin.call('GET', path, undefined, {headers})).status, 400);
});

test('a malformed tag is 400', async t => {
  const {admin, all} = await resources(t);
  for (const name of ['if-match', 'if-none-match'] as const) {
    for (const value of ['', 'x', '"open', '"a" "b"', 'w/"a"', '*, "a"', '"a",']) {
      const {path, change} = all[0] as (typeof all)[number];
      const answer = await admin.call('PATCH', path, change, {headers: {[name]: value}});
      t.is(answer.status, 400, `${name}: ${value}`);
      t.is(String(answer.body.parameter).toLowerCase(), name);
    }
  }
});

test('what is not in the state that is meant is neither ended nor acted upon', async t => {
  const {admin, org, key, all} = await resources(t);
  const {id: service} = await admin.create(`/admin/v1/orgs/${org}/service-keys`, {
    name: 'one',
    role: 'viewer',
  });
  const keyPath = `/admin/v1/keys/${key}`;
  const ofOrg = `/admin/v1/orgs/${org}`;
  const acts: ReadonlyArray<readonly [method: string, path: string, at: string]> = [
    ['POST', `${keyPath}/rotate`, keyPath],
    ['DELETE', keyPath, keyPath],
    ['DELETE', `/admin/v1/service-keys/${service}`, `/admin/v1/service-keys/${service}`],
    ...all.slice(4).map(({path}) => ['DELETE', path, path] as const),
    ['POST', `${ofOrg}/suspend`, ofOrg],
    ['POST', `${ofOrg}/resume`, ofOrg],
    ['DELETE', ofOrg, ofOrg],
    ['POST', `${ofOrg}/restore`, ofOrg],
  ];
  for (const [method, path, at] of acts) {
    const body = method === 'POST' ? {} : undefined;
    const before = await admin.call('GET', at);
    const act = (tag: string) => admin.call(method, path, body, {headers: {'if-match': tag}});
    const refused = await act('"other"');
    t.is(refused.status, 412, `${method} ${path}: ${refused.text}`);
    t.deepEqual((await admin.call('GET', at)).body, before.body, path);
    const done = await act(tagOf(before));
    t.true(done.status < 300, `${method} ${path}: ${done.text}`);
  }
});

test('how an endpoint is, is no other state of a model', async t => {
  const {admin, all} = await resources(t);
  const path = all.at(-1)?.path as string;
  const before = await admin.call('GET', path);
  admin.findings['http://a:8000'] = ill;
  const after = await admin.call('POST', `${path}/probe`);
  t.notDeepEqual(after.body.endpoints, before.body.endpoints);
  t.is(tagOf(after), tagOf(before));
});
