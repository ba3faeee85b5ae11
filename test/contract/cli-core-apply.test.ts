import test, {type ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {createPool} from '../../events/database.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {runCli} from '../../functions/admin/cli/program.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {createPostgresStore} from '../../functions/registry/store-postgres.ts';
import {adminKey, startAdmin} from '../helpers/admin-server.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {createFakeProbe} from '../helpers/registry.ts';

type Result = {kind: string; name: string; action: string; key?: string; error?: string};

const startRegistry = async (t: ExecutionContext) => {
  const pool = createPool({databaseUrl: (await createTestDatabase(t)).url('system'), name: 'test'});
  const registry = createRegistry({
    store: createPostgresStore(pool),
    probe: createFakeProbe().probe,
  });
  const server = await serve({
    name: 'registry',
    host: '127.0.0.1',
    logger: createLogger({name: 'registry', level: 'silent'}),
    routes: registryRoutes({registry, guard: createGuard({adminKey})}),
    onClose: () => pool.end(),
  });
  t.teardown(server.close);
  return server;
};

const setUp = async (t: ExecutionContext, {models = false} = {}) => {
  const admin = await startAdmin(t);
  const {url} = models ? await startRegistry(t) : admin;
  const apply = async (text: string, ...args: string[]) => {
    const written = {out: '', err: ''};
    const code = await runCli(['apply', '-f', '-', ...args], {
      environment: {SLUICE_URL: url, SLUICE_ADMIN_KEY: adminKey},
      folder: '/',
      out: part => {
        written.out += part;
      },
      err: part => {
        written.err += part;
      },
      terminal: false,
      read: async () => text,
      wait: async () => {},
    });
    return {code, ...written};
  };
  const results = async (text: string, ...args: string[]) => {
    const {code, out} = await apply(text, ...args, '--json');
    const {data} = JSON.parse(out) as {data: Result[]};
    return {code, data, actions: data.map(({kind, action}) => `${kind} ${action}`)};
  };
  return {admin, apply, results};
};

// The order of the documents does not matter.
const tenant = `
kind: Budget
org: acme
unit: usd
period: month
limit: 500
thresholds: [50, 100]
---
kind: Key
org: acme
project: search
name: ci
maxOutputTokens: 1024
---
kind: Project
org: acme
name: search
---
kind: Organisation
name: acme
requestsPerMinute: 600
---
kind: Budget
org: acme
project: search
key: ci
unit: tokens
period: day
limit: "100000"
`;

test('a file is applied, and applied again changes nothing', async t => {
  const {results, apply, admin} = await setUp(t);
  const first = await results(tenant);
  t.is(first.code, 0);
  t.deepEqual(first.actions, [
    'Organisation created',
    'Project created',
    'Key created',
    'Budget created',
    'Budget created',
  ]);
  t.regex(first.data[2]?.key ?? '', /^sk-[a-z2-7]{16}-/);
  t.is(first.data.filter(({key}) => key !== undefined).length, 1);
  const second = await results(tenant);
  t.is(second.code, 0);
  t.true(second.data.every(({action}) => action === 'unchanged'));
  const {out, err} = await apply(tenant);
  t.regex(out, /^Organisation +acme +unchanged/m);
  t.is(err, '');
  t.is((await admin.call('GET', '/admin/v1/orgs')).body.data.length, 1);
});

test('what differs is shown by a dry run and then changed, and nothing else', async t => {
  const {results, apply, admin} = await setUp(t);
  await results(tenant);
  const other = tenant.replace('limit: 500', 'limit: "750.00"').replace('1024', '2048');
  const dry = await apply(other, '--dry-run');
  t.is(dry.code, 0);
  t.regex(dry.out, /^Budget +acme\/usd\/month +changed +limit: "500\.\d+" -> "750\.00"$/m);
  t.regex(dry.out, /^Key .* changed +maxOutputTokens: 1024 -> 2048$/m);
  t.is(dry.err, 'nothing was changed\n');
  const audited = async () =>
    (await admin.database.pool('superuser').query('select from audit')).rowCount;
  const before = await audited();
  t.deepEqual((await results(other)).actions, [
    'Organisation unchanged',
    'Project unchanged',
    'Key changed',
    'Budget changed',
    'Budget unchanged',
  ]);
  t.is(await audited(), (before ?? 0) + 2);
});

test('a dry run of a whole tenant that is not there makes nothing', async t => {
  const {results, admin} = await setUp(t);
  const {code, data} = await results(tenant, '--dry-run');
  t.is(code, 0);
  t.true(data.every(({action}) => action === 'created'));
  t.is((await admin.call('GET', '/admin/v1/orgs')).body.data.length, 0);
});

test('a wish that fails does not keep the others, and the file goes on when it is mended', async t => {
  const {results, apply} = await setUp(t);
  const bad = tenant.replace('name: search', 'name: search\nunknownField: 1');
  const failed = await results(bad);
  t.is(failed.code, 2);
  t.deepEqual(failed.actions, [
    'Organisation created',
    'Project failed',
    'Key failed',
    'Budget created',
    'Budget failed',
  ]);
  t.regex(failed.data[1]?.error ?? '', /unknownField/);
  t.regex((await apply(bad)).err, /3 of 5 failed, 0 were not tried; apply it again/);
  const mended = await results(tenant);
  t.is(mended.code, 0);
  t.deepEqual(mended.actions, [
    'Organisation unchanged',
    'Project created',
    'Key created',
    'Budget unchanged',
    'Budget created',
  ]);
});

test('top-ups are no difference, and a time zone that cannot be changed is said', async t => {
  const {results, admin} = await setUp(t);
  const {data} = await results(tenant);
  const budget = (data[3] as unknown as {id: string}).id;
  await admin.call('POST', `/admin/v1/budgets/${budget}/top-ups`, {amount: '25.00'});
  t.true((await results(tenant)).data.every(({action}) => action === 'unchanged'));
  const moved = await results(
    tenant.replace('period: month', 'period: month\ntimeZone: Asia/Tokyo'),
  );
  t.is(moved.code, 2);
  t.regex(moved.data[3]?.error ?? '', /timeZone: it is UTC, and cannot be changed/);
});

test('a file that is no wish is refused before anything is done', async t => {
  const {apply, admin} = await setUp(t);
  for (const [text, message] of [
    ['kind: Organisation\nname: a\n---\nkind: Planet\n', /document 2: kind: expected one of/],
    ['kind: Organisation\nname: a\n---\nkind: Key\nname: x\n', /document 2: a Key needs org/],
    ['kind: Organisation\nname: a\n---\n{', /document 2: /],
    ['', /wishes for nothing/],
  ] as const) {
    const {code, err} = await apply(text);
    t.is(code, 2);
    t.regex(err, message);
  }
  t.regex((await apply('', '-f', '/nowhere.yaml')).err, /nowhere\.yaml cannot be read/);
  t.is((await admin.call('GET', '/admin/v1/orgs')).body.data.length, 0);
});

const model = `
kind: Model
name: tiny
environment: prod
endpoints: [http://tiny.models/v1]
contextLength: 4096
price: {inputPerMillion: 0.50, outputPerMillion: 1.5}
`;

test('a model is registered, left alone where it is so, and registered again where it is not', async t => {
  const {results, apply} = await setUp(t, {models: true});
  t.deepEqual((await results(model)).actions, ['Model created']);
  t.deepEqual((await results(model)).actions, ['Model unchanged']);
  const other = model.replace('0.50', '0.75').replace('[http://tiny', '[http://two, http://tiny');
  const {out} = await apply(other, '--dry-run');
  t.regex(out, /"inputPerMillion":"0\.50".* -> .*"inputPerMillion":"0\.75"/);
  t.regex(
    out,
    /endpoints: \["http:\/\/tiny\.models"\] -> \["http:\/\/tiny\.models","http:\/\/two"\]/,
  );
  t.deepEqual((await results(other)).actions, ['Model changed']);
  t.deepEqual((await results(other)).actions, ['Model unchanged']);
});
