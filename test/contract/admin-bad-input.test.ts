import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {type AdminServer, startAdmin} from '../helpers/admin-server.ts';

type Bad = readonly [why: string, body: unknown, parameter?: string];

const longName = 'x'.repeat(201);
const past = new Date(0).toISOString();

const names: readonly Bad[] = [
  ['no name', {}, 'name'],
  ['an empty name', {name: ''}, 'name'],
  ['a name of blanks', {name: '  '}, 'name'],
  ['a name that is too long', {name: longName}, 'name'],
  ['a name that is a number', {name: 7}, 'name'],
  ['a name that is null', {name: null}, 'name'],
  ['a name with a line end', {name: 'a\nb'}, 'name'],
  ['NUL in a name', {name: 'a\0b'}],
  ['a lone surrogate in a name', '{"name": "a\\ud800b"}'],
  ['a field that is unknown', {name: 'a', admin: true}, 'admin'],
  ['a prototype as field', '{"name": "a", "__proto__": {"x": 1}}', '__proto__'],
  ['a list', '[]'],
  ['a text', '"name"'],
  ['null', 'null'],
  ['nothing', ''],
  ['half an object', '{"name": "a"'],
  ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ['a deep nest', `{"name": ${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
];

const keys: readonly Bad[] = [
  ['no models in the list', {name: 'a', models: []}, 'models'],
  ['a model that is no text', {name: 'a', models: [1]}, 'models.0'],
  ['a model twice', {name: 'a', models: ['b', 'b']}, 'models'],
  ['an environment that there is not', {name: 'a', environments: ['moon']}, 'environments.0'],
  ['an expiry that is none', {name: 'a', expiresAt: 'soon'}, 'expiresAt'],
  ['an expiry without a zone', {name: 'a', expiresAt: '2099-01-01T00:00:00'}, 'expiresAt'],
  ['a leap second', {name: 'a', expiresAt: '2099-12-31T23:59:60Z'}, 'expiresAt'],
  ['an expiry that is over', {name: 'a', expiresAt: past}, 'expiresAt'],
  [
    'an expiry after the year 2999',
    {name: 'a', expiresAt: '9999-12-31T23:59:59-23:00'},
    'expiresAt',
  ],
];

const budgetsOf = (org: string, project: string): readonly Bad[] => {
  const good = {org, unit: 'usd', limit: '5.00', period: 'month'};
  return [
    ['no owner', {...good, org: undefined}],
    ['two owners', {...good, project}],
    ['an owner that is no id', {...good, org: 'acme'}, 'org'],
    ['an owner in upper case', {...good, org: org.toUpperCase()}, 'org'],
    ['no unit', {...good, unit: undefined}, 'unit'],
    ['an unknown unit', {...good, unit: 'eur'}, 'unit'],
    ['no limit', {...good, limit: undefined}, 'limit'],
    ['a limit of money as a number', {...good, limit: 5}, 'limit'],
    ['a limit with a sign', {...good, limit: '-5.00'}, 'limit'],
    ['a limit with ten decimals', {...good, limit: '5.0000000000'}, 'limit'],
    ['a limit in scientific writing', {...good, limit: '5e3'}, 'limit'],
    ['a limit that is no number', {...good, limit: 'NaN'}, 'limit'],
    ['a limit over the bound', {...good, limit: '9000000000.01'}, 'limit'],
    ['a limit far over the bound', {...good, limit: '9'.repeat(19)}, 'limit'],
    ['half a millisecond', {...good, unit: 'gpu_ms', limit: '0.5'}, 'limit'],
    ['half a token', {...good, unit: 'tokens', limit: 0.5}, 'limit'],
    ['tokens with decimals', {...good, unit: 'tokens', limit: '5.0'}, 'limit'],
    ['tokens that a number cannot hold', {...good, unit: 'tokens', limit: 2 ** 53}, 'limit'],
    ['an unknown period', {...good, period: 'year'}, 'period'],
    ['an unknown time zone', {...good, timeZone: 'Mars/Olympus'}, 'timeZone'],
    ['a POSIX time zone', {...good, timeZone: 'FOO+3'}, 'timeZone'],
    ['an offset as time zone', {...good, timeZone: '+02:00'}, 'timeZone'],
    ['SQL as time zone', {...good, timeZone: "UTC'; drop table orgs"}, 'timeZone'],
    ['a threshold of nought', {...good, thresholds: [0]}, 'thresholds.0'],
    ['a threshold over the whole limit', {...good, thresholds: [101]}, 'thresholds.0'],
    ['a threshold with decimals', {...good, thresholds: [1.5]}, 'thresholds.0'],
    ['the same threshold twice', {...good, thresholds: [50, 50]}, 'thresholds'],
    [
      'too many thresholds',
      {...good, thresholds: Array.from({length: 11}, (_, n) => n + 1)},
      'thresholds',
    ],
  ];
};

const changes: readonly Bad[] = [
  ['nothing to change', {}],
  ['another unit', {unit: 'tokens'}, 'unit'],
  ['a limit that is null', {limit: null}, 'limit'],
  ['paused as a text', {paused: 'yes'}, 'paused'],
  ['another period', {period: 'day'}, 'period'],
  ['another time zone', {timeZone: 'Europe/Berlin'}, 'timeZone'],
  ['another owner', {org: uuidv7()}, 'org'],
  ['a limit with a sign', {limit: '-1.00'}, 'limit'],
  ['thresholds that are null', {thresholds: null}, 'thresholds'],
  ['a threshold of nought', {thresholds: [50, 0]}, 'thresholds.1'],
  ['a threshold over the whole limit', {thresholds: [101]}, 'thresholds.0'],
  ['a threshold with decimals', {thresholds: [0.5]}, 'thresholds.0'],
  ['the same threshold twice', {thresholds: [50, 50]}, 'thresholds'],
  [
    'too many thresholds',
    {thresholds: Array.from({length: 11}, (_, index) => index + 1)},
    'thresholds',
  ],
];

const topUps: readonly Bad[] = [
  ['no amount', {}, 'amount'],
  ['an amount of nought', {amount: '0.00'}, 'amount'],
  ['an amount with a sign', {amount: '-1.00'}, 'amount'],
  ['an amount of money as a number', {amount: 5}, 'amount'],
  ['an amount over the bound', {amount: '9000000000.01'}, 'amount'],
  ['an id that is empty', {amount: '1.00', id: ''}, 'id'],
  ['an id that is a number', {amount: '1.00', id: 7}, 'id'],
  ['an id with a slash', {amount: '1.00', id: 'a/b'}, 'id'],
  ['an id that is too long', {amount: '1.00', id: 'x'.repeat(201)}, 'id'],
  ['who it is by with a line end', {amount: '1.00', by: 'a\nb'}, 'by'],
  ['a field that is unknown', {amount: '1.00', window: uuidv7()}, 'window'],
];

const queries: ReadonlyArray<readonly [path: string, parameter: string]> = [
  ['/orgs?limit=0', 'limit'],
  ['/orgs?limit=1e9', 'limit'],
  ['/orgs?limit=x', 'limit'],
  ['/orgs?limit=1&limit=2', 'limit'],
  ['/orgs?after=x', 'after'],
  ['/orgs?name=%00', 'name'],
  ['/orgs?nmae=x', 'nmae'],
  ['/orgs?limit[]=1', 'limit[]'],
  ['/budgets', 'org'],
  ['/budgets?org=', 'org'],
  ['/budgets?org=%00', 'org'],
  ['/ledger', 'request'],
  ['/ledger?request=1', 'request'],
  [`/ledger?request=ffffffff-ffff-7fff-bfff-ffffffffffff`, 'request'],
  [`/ledger?request=01234567-89ab-4def-8123-456789abcdef`, 'request'],
  [`/ledger?org=${uuidv7()}&from=yesterday`, 'from'],
  [`/ledger?org=${uuidv7()}&from=2026-13-01`, 'from'],
  [`/ledger?org=${uuidv7()}&from=0000-01-01`, 'from'],
  [`/ledger?org=${uuidv7()}&from=2026-02-01&to=2026-01-01`, 'from'],
];

/** What no id can be; `%zz` is not even percent-coding. */
const hostileIds = [
  'x',
  '1',
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  "1' or '1'='1",
  '%00',
  '%zz',
  '%2e%2e%2forgs',
  'null',
  'constructor',
  '__proto__',
  'a'.repeat(4_000),
  '🦭',
  '%ed%a0%80',
];

const pathsWithId: ReadonlyArray<
  readonly [method: string, path: (id: string) => string, body?: object]
> = [
  ['GET', id => `/admin/v1/orgs/${id}`],
  ['GET', id => `/admin/v1/orgs/${id}/projects`],
  ['POST', id => `/admin/v1/orgs/${id}/projects`, {name: 'a'}],
  ['GET', id => `/admin/v1/projects/${id}/keys`],
  ['POST', id => `/admin/v1/projects/${id}/keys`, {name: 'a'}],
  ['DELETE', id => `/admin/v1/keys/${id}`],
  ['GET', id => `/admin/v1/budgets/${id}`],
  ['PATCH', id => `/admin/v1/budgets/${id}`, {paused: true}],
  ['GET', id => `/admin/v1/budgets?org=${id}`],
  ['GET', id => `/admin/v1/budgets/${id}/top-ups`],
  ['POST', id => `/admin/v1/budgets/${id}/top-ups`, {amount: '1.00'}],
  ['GET', id => `/admin/v1/ledger?org=${id}`],
];

const countRows = async ({database}: AdminServer) => {
  const {rows} = await database
    .pool('superuser')
    .query(
      'select (select count(*) from orgs) + (select count(*) from projects) + (select count(*) from keys) + (select count(*) from budgets) + (select count(*) from top_ups) as count',
    );
  return rows[0].count;
};

test('a body that is wrong is 400, names what was wrong and leaves nothing behind', async t => {
  const admin = await startAdmin(t);
  const {org, project, budget} = await admin.createTenant('good');
  const before = await countRows(admin);
  const tables: ReadonlyArray<readonly [method: string, path: string, rows: readonly Bad[]]> = [
    ['POST', '/admin/v1/orgs', names],
    [
      'POST',
      `/admin/v1/orgs/${org}/projects`,
      [...names, ['an unknown policy', {name: 'a', unsettledPolicy: 'x'}, 'unsettledPolicy']],
    ],
    ['POST', `/admin/v1/projects/${project}/keys`, [...names, ...keys]],
    ['POST', '/admin/v1/budgets', budgetsOf(org, project)],
    ['PATCH', `/admin/v1/budgets/${budget}`, changes],
    ['POST', `/admin/v1/budgets/${budget}/top-ups`, topUps],
  ];
  for (const [method, path, rows] of tables) {
    for (const [why, body, parameter] of rows) {
      const answer = await admin.call(method, path, body);
      t.is(answer.status, 400, `${path}: ${why}: ${answer.text}`);
      t.is(answer.body.parameter, parameter, `${path}: ${why}: ${answer.text}`);
      t.true((answer.body.detail as string).length < 400, `${path}: ${why}: ${answer.text}`);
    }
  }
  t.is(await countRows(admin), before);
});

test('a query that is wrong is 400 and names the parameter', async t => {
  const {call} = await startAdmin(t);
  for (const [path, parameter] of queries) {
    t.like(await call('GET', `/admin/v1${path}`), {status: 400, body: {parameter}}, path);
  }
});

test('what cannot be an id is 400, an id of nothing is 404', async t => {
  const {send, call} = await startAdmin(t);
  for (const [method, path, body] of pathsWithId) {
    for (const id of hostileIds) {
      const {status, text} = await send(method, path(id), body);
      t.is(status, 400, `${method} ${path(id)}: ${text}`);
    }
    t.is((await call(method, path(uuidv7()), body)).status, 404, `${method} ${path('…')}`);
  }
});

test('a body over the limit is 413', async t => {
  const {call} = await startAdmin(t);
  const body = {name: 'x'.repeat(70_000)};
  t.like(await call('POST', '/admin/v1/orgs', body), {
    status: 413,
    body: {code: 'payload_too_large'},
  });
});

test('a name that looks like SQL, markup or a path is a name', async t => {
  const {create, call} = await startAdmin(t);
  for (const name of [
    "'; drop table orgs; --",
    '<script>alert(1)</script>',
    '../..',
    '%00',
    '𝒳'.repeat(200),
    '\\u0000',
  ]) {
    const {id} = await create('/admin/v1/orgs', {name});
    t.is((await call('GET', `/admin/v1/orgs/${id}`)).body.name, name);
  }
});
