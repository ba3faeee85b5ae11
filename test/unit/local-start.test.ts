import {mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {type DemoPrice, prepareDemo, waitForModel} from '../../knative/local/demo.ts';
import {drainEvents} from '../../knative/local/eventing/drain-events.ts';
import {findClashes} from '../../knative/local/front-door/routes.ts';
import {environmentFor} from '../../knative/local/functions.ts';
import {createParts, settleAll} from '../../knative/local/parts.ts';
import {readManifests} from '../../knative/local/plan/manifests.ts';
import {makePlan} from '../../knative/local/plan/plan.ts';
import {openState} from '../../knative/local/state.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const manifests = fileURLToPath(new URL('../../knative/', import.meta.url));
const secrets = {
  'tenant-database-url': 'postgres://tenant',
  'gateway-database-url': 'postgres://gateway',
  'gateway-database-url-direct': 'postgres://gateway-direct',
  'system-database-url': 'postgres://system',
  'source-token': 'a token',
  'admin-key': 'a key',
};

const planned = async () => makePlan(await readManifests(manifests));

const environmentOf = async (name: string, environment: Record<string, string> = {}) => {
  const plan = (await planned()).functions.find(one => one.name === name);
  if (!plan) {
    throw new Error(`there is no ${name}`);
  }
  return environmentFor({
    plan,
    environment,
    secrets,
    compileCache: '/cache',
    urlOfSink: () => 'http://sink',
  });
};

test('the manifests of this release can be run, and no path is claimed twice', async t => {
  const {functions, subscriptions} = await planned();
  const routes = functions.flatMap(({name, paths}) => paths.map(prefix => ({prefix, name})));
  t.deepEqual(findClashes(routes), []);
  t.like(Object.fromEntries(routes.map(({prefix, name}) => [prefix, name])), {
    '/v1': 'gateway',
    '/verify': 'auth',
    '/admin/v1': 'admin',
    '/admin/v1/usage': 'usage',
    '/admin/v1/models': 'registry',
  });
  const names = subscriptions.map(({name}) => name);
  t.true(names.includes('source/sluice.usage/budget'));
  t.true(names.includes('source/sluice.usage/usage'));
  t.true(names.includes('trigger/sluice/registry-endpoint-suspected'));
  t.true(subscriptions.filter(({kind}) => kind === 'source').every(({token}) => token));
});

test('every function may go to zero', async t => {
  const services = (await readManifests(manifests)).filter(({kind}) => kind === 'Service');
  for (const {name, spec} of services) {
    const {template} = spec as {template: {metadata: {annotations: Record<string, string>}}};
    t.is(template.metadata.annotations['autoscaling.knative.dev/min-scale'], '0', name);
  }
});

const role = test.macro({
  async exec(t: ExecutionContext, name: string, url: string) {
    t.is((await environmentOf(name)).DATABASE_URL, url);
  },
  title: (_, name: string, url: string) => `${name} reaches the database as ${url}`,
});
test(role, 'gateway', 'postgres://gateway');
test(role, 'auth', 'postgres://gateway');
test(role, 'admin', 'postgres://tenant');
test(role, 'budget', 'postgres://system');
test(role, 'usage', 'postgres://system');
test(role, 'registry', 'postgres://system');

test('a function has what Knative and its manifest give it, and no secret of another', async t => {
  t.deepEqual(await environmentOf('gateway', {PATH: '/bin', AWS_SECRET: 'x', ADMIN_KEY: 'y'}), {
    PATH: '/bin',
    NODE_COMPILE_CACHE: '/cache',
    K_SERVICE: 'gateway',
    K_CONFIGURATION: 'gateway',
    K_REVISION: 'gateway-00001',
    ENVIRONMENT: 'development',
    DATABASE_URL: 'postgres://gateway',
    DATABASE_URL_DIRECT: 'postgres://gateway-direct',
    PORT: '0',
  });
});

test('what a person sets for a start wins over the manifest, but not over where a function listens', async t => {
  const environment = await environmentOf('gateway', {
    ENVIRONMENT: 'staging',
    LEASE_TTL_MS: '1000',
    PORT: '1',
  });
  t.like(environment, {ENVIRONMENT: 'staging', LEASE_TTL_MS: '1000', PORT: '0'});
});

test('a secret that is not known is refused with its name', async t => {
  const plan = {
    ...(await planned()).functions[0],
    name: 'mine',
    env: [{name: 'TOKEN', secret: {name: 'sluice', key: 'other'}}],
  } as Parameters<typeof environmentFor>[0]['plan'];
  const error = t.throws(() =>
    environmentFor({plan, environment: {}, secrets, compileCache: '', urlOfSink: () => ''}),
  );
  t.regex(error.message, /mine wants TOKEN from sluice\/other/);
});

test('what is said of the OpenID provider reaches the functions whose manifest names it, and no other', async t => {
  const environment = {OIDC_ISSUER: 'https://issuer.example', OIDC_CLIENT_SECRET: 'hidden'};
  for (const name of ['admin', 'usage', 'registry', 'deadletter']) {
    const found = await environmentOf(name, environment);
    t.is(found.OIDC_ISSUER, environment.OIDC_ISSUER);
    t.false('OIDC_CLIENT_SECRET' in found, name);
  }
  t.false('OIDC_ISSUER' in (await environmentOf('gateway', environment)));
});

test('the end is the beginning backwards, and one that fails does not keep the rest', async t => {
  const ended: string[] = [];
  const faults: string[] = [];
  const parts = createParts((name, error) => faults.push(`${name}: ${error.message}`));
  parts.add({name: 'first', stop: async () => void ended.push('first')});
  parts.add({
    name: 'second',
    stop: async () => {
      throw new Error('stuck');
    },
  });
  parts.add({name: 'third', stop: () => void ended.push('third')});
  await Promise.all([parts.drain(), parts.drain()]);
  t.deepEqual(ended, ['third', 'first']);
  t.deepEqual(faults, ['second: stuck']);
});

test('breaking off reaches the part that is ending and those that are not yet', async t => {
  const killed: string[] = [];
  let release = () => {};
  const parts = createParts(() => {});
  parts.add({name: 'first', stop: () => {}, kill: () => killed.push('first')});
  parts.add({
    name: 'second',
    stop: () => new Promise<void>(resolve => (release = resolve)),
    kill: () => {
      killed.push('second');
      release();
    },
  });
  const drained = parts.drain();
  parts.kill();
  await drained;
  t.deepEqual(killed.sort(), ['first', 'second']);
});

test('settleAll waits for the slow one before it tells of the failed one', async t => {
  let slowEnded = false;
  const slow = new Promise<void>(resolve => {
    setImmediate(() => {
      slowEnded = true;
      resolve();
    });
  });
  await t.throwsAsync(settleAll([Promise.reject(new Error('failed')), slow]), {message: 'failed'});
  t.true(slowEnded);
});

test('the end waits until outbox and queues are empty, and no longer than it may', async t => {
  const rows = [true, true, false, false];
  const counts = [1, 1, 1, 0];
  const pool = {query: async () => ({rows: [{some: rows.shift() ?? false}]})} as never;
  const stats = async () => ({pending: {queue: counts.shift() ?? 0}});
  await drainEvents({stats, pool, signal: new AbortController().signal, pollMs: 1});
  t.is(counts.length, 0);
  const stuck = async () => ({pending: {queue: 1}});
  const started = performance.now();
  await drainEvents({
    stats: stuck,
    pool,
    signal: new AbortController().signal,
    timeoutMs: 50,
    pollMs: 1,
  });
  t.true(performance.now() - started < 5_000);
  await drainEvents({stats: stuck, pool, signal: AbortSignal.abort()});
});

/** An admin API that keeps what it was asked for, and a model server with two models. */
const demoFor = async (t: ExecutionContext, refuseAt?: string) => {
  const calls: string[] = [];
  const bodies: Record<string, unknown>[] = [];
  const known = new Set<string>();
  let refusing = refuseAt;
  const {url} = await createHttpTestServer(t, async (request, response) => {
    const path = String(request.url);
    const body = await text(request);
    const reply = (status: number, value: unknown) =>
      response.writeHead(status).end(JSON.stringify(value));
    if (path === '/v1/models') {
      reply(200, {data: [{id: 'my-embed', max_model_len: 64}, {id: 'talker'}]});
      return;
    }
    calls.push(`${request.method} ${path}`);
    if (refusing !== undefined && path.includes(refusing)) {
      refusing = undefined;
      reply(503, {detail: 'not now'});
    } else if (request.method === 'GET') {
      reply(known.has(path) ? 200 : 404, {});
    } else {
      bodies.push(body === '' ? {} : JSON.parse(body));
      const id = `id-${calls.length}`;
      known.add(`${path}/${id}`);
      reply(201, {id, key: 'sk-a-b'});
    }
  });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-demo-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  const state = await openState({folder});
  const prepare = (price: DemoPrice = 'demo') =>
    prepareDemo({state, url, environment: 'development', upstream: url, price});
  return {calls, bodies, known, prepare, url};
};

test('a first start makes organisation, project, budget, key and models; a second makes nothing', async t => {
  const {calls, bodies, prepare, url} = await demoFor(t);
  t.deepEqual(await prepare(), {apiKey: 'sk-a-b', model: 'talker'});
  t.is(calls.filter(call => call.startsWith('POST')).length, 6);
  t.true(
    bodies.some(body => body.limit === '5.00' && body.period === 'month' && body.unit === 'usd'),
  );
  t.like(
    bodies.find(body => body.name === 'talker'),
    {
      environment: 'development',
      endpoints: [url],
      contextLength: 8192,
      price: {inputPerMillion: '0.50', outputPerMillion: '1.50'},
    },
  );
  t.like(
    bodies.find(body => body.name === 'my-embed'),
    {contextLength: 64, price: {inputPerMillion: '0.02', outputPerMillion: '0'}},
  );
  calls.length = 0;
  t.deepEqual(await prepare(), {apiKey: 'sk-a-b', model: 'talker'});
  t.deepEqual(
    calls.filter(call => !call.startsWith('GET') && !call.endsWith('/probe')),
    [],
  );
});

test('a start that broke off is taken up where it was', async t => {
  const {calls, prepare} = await demoFor(t, '/keys');
  await t.throwsAsync(prepare(), {message: /keys answered 503: not now/});
  calls.length = 0;
  await prepare();
  t.deepEqual(
    calls.filter(call => /orgs|budgets|keys/.test(call) && call.startsWith('POST')).length,
    1,
  );
});

test('a data folder without its database is made anew', async t => {
  const {calls, known, prepare} = await demoFor(t);
  await prepare();
  known.clear();
  calls.length = 0;
  await prepare();
  t.true(calls.includes('POST /admin/v1/orgs'));
});

test('another price is registered, and prices of nought are free', async t => {
  const {bodies, prepare} = await demoFor(t);
  await prepare('free');
  t.true(bodies.some(body => body.name === 'talker' && body.price === 'free'));
  bodies.length = 0;
  await prepare({inputPerMillion: '1', outputPerMillion: '2'});
  t.like(
    bodies.find(body => body.name === 'talker'),
    {price: {inputPerMillion: '1', outputPerMillion: '2'}},
  );
  bodies.length = 0;
  await prepare({inputPerMillion: '0.00', outputPerMillion: '0'});
  t.true(bodies.some(body => body.name === 'talker' && body.price === 'free'));
});

test('a start is ready when the gateway serves its model, and says so when it does not', async t => {
  let asked = 0;
  const {url} = await createHttpTestServer(t, (request, response) => {
    asked += 1;
    const known = asked > 2 && request.headers.authorization === 'Bearer sk-a-b';
    response.writeHead(known ? 200 : 401);
    response.end(known ? '{"data":[{"id":"talker"}]}' : '{"error":{}}');
  });
  t.true(await waitForModel({url, apiKey: 'sk-a-b', model: 'talker', pollMs: 1}));
  t.is(asked, 3);
  t.false(await waitForModel({url, apiKey: 'sk-a-b', model: 'other', timeoutMs: 50, pollMs: 1}));
  const silent = await createHttpTestServer(t, () => {});
  const late = {url: silent.url, apiKey: 'sk-a-b', model: 'talker', timeoutMs: 50, pollMs: 1};
  t.false(await waitForModel(late), 'a gateway that does not answer in time is no error');
});
