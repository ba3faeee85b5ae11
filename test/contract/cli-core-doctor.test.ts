import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {runCli} from '../../functions/admin/cli/program.ts';
import {apiVersion} from '../../functions/admin/client/operations.ts';
import {adminKey, startAdmin} from '../helpers/admin-server.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {testKafka} from '../helpers/kafka.ts';
import {startRedis, testRedis} from '../helpers/redis.ts';

type Finding = {check: string; state: string; found: string; remedy?: string};

const doctor = async (environment: Record<string, string>, ...args: string[]) => {
  const written = {out: '', err: ''};
  const code = await runCli(['doctor', '--timeout', '60', ...args], {
    environment,
    folder: '/',
    out: text => {
      written.out += text;
    },
    err: text => {
      written.err += text;
    },
    terminal: false,
    wait: async () => {},
  });
  return {code, ...written};
};
const findings = async (environment: Record<string, string>, ...args: string[]) => {
  const {code, out} = await doctor(environment, ...args, '--json');
  const {data} = JSON.parse(out) as {data: Finding[]};
  const of = (check: string) => data.find(one => one.check === check);
  return {code, data, of};
};

/** A port that nothing listens on. */
const closedPort = async (t: ExecutionContext) => {
  const {port, server} = await createHttpTestServer(t, () => {});
  await new Promise(resolve => server.close(resolve));
  return port;
};

const startFront = (t: ExecutionContext, health: object, answers: Record<string, unknown> = {}) =>
  createHttpTestServer(t, (request, response) => {
    const path = (request.url as string).split('?')[0] as string;
    const all: Record<string, unknown> = {
      '/openapi.json': {info: {version: apiVersion}},
      ...answers,
    };
    const body = path === '/healthz' ? health : all[path.replace('/admin/v1', '')];
    response.writeHead(body === undefined ? 401 : 200, {'content-type': 'application/json'});
    response.end(JSON.stringify(body ?? {code: 'unauthorized', status: 401, detail: 'no'}));
  });
const operator = {kind: 'operator', id: 'admin-key', name: 'admin key', operator: true, grants: []};
const at = (url: string) => ({SLUICE_URL: url, SLUICE_ADMIN_KEY: adminKey});
const model = (name: string, status: string, ...health: string[]) => ({
  id: name,
  name,
  environment: 'production',
  status,
  endpoints: health.map((one, index) => ({
    url: `http://${name}-${index}`,
    health: one,
    healthReason: one === 'unhealthy' ? 'it said 500' : null,
  })),
});

test('a server that is well and takes the key is well, and the rest is left out by name', async t => {
  const admin = await startAdmin(t);
  const {of} = await findings(at(admin.url));
  t.like(of('server'), {state: 'ok'});
  t.like(of('clock'), {state: 'ok'});
  t.like(of('function gateway'), {state: 'ok'});
  t.like(of('PostgreSQL'), {state: 'skipped', found: 'set DATABASE_URL to have it checked'});
  t.like(of('Kafka'), {state: 'skipped'});
});

test('what is degraded, disabled or ill is told with what to do', async t => {
  const {url} = await startFront(
    t,
    {
      status: 'degraded',
      functions: {
        gateway: {status: 'degraded', reason: 'kafka-away since 10:00'},
        admin: {status: 'ok'},
        usage: {status: 'unavailable', reason: 'the function is away'},
      },
    },
    {
      '/me': operator,
      '/models': {
        data: [
          model('good', 'ready', 'healthy'),
          model('half', 'ready', 'healthy', 'unhealthy'),
          model('bad', 'ready', 'unhealthy'),
          model('off', 'disabled', 'healthy'),
        ],
      },
    },
  );
  const {code, of} = await findings(at(url));
  t.is(code, 1);
  t.like(of('key'), {state: 'ok', found: 'taken: operator admin key, the operator'});
  t.like(of('function gateway'), {state: 'warn', found: 'kafka-away since 10:00'});
  t.like(of('function admin'), {state: 'ok'});
  t.like(of('function usage'), {state: 'fail'});
  t.regex(of('function usage')?.remedy ?? '', /kubectl logs/);
  t.like(of('model good (production)'), {state: 'ok'});
  t.like(of('model half (production)'), {state: 'warn'});
  t.like(of('model bad (production)'), {state: 'fail', found: 'http://bad-0: it said 500'});
  t.like(of('model off (production)'), {state: 'warn'});
});

test('states of the gateway are told, as it tells them and as the front door passes them on', async t => {
  const degraded = [
    {state: 'kafka-away', since: '2026-11-21T10:00:00.000Z', detail: 'no acknowledgement'},
    {state: 'models-unread', since: '2026-11-21T10:00:00.000Z'},
  ];
  const found = 'kafka-away (no acknowledgement), models-unread';
  const alone = await startFront(t, {status: 'degraded', function: 'gateway', degraded});
  t.like((await findings(at(alone.url))).of('function gateway'), {state: 'warn', found});
  const passed = await startFront(t, {
    status: 'degraded',
    functions: {gateway: {status: 'degraded', processes: 1, reason: degraded}},
  });
  t.like((await findings(at(passed.url))).of('function gateway'), {state: 'warn', found});
});

test('functions that the server does not tell of are asked by their URLs', async t => {
  const {url} = await startFront(t, {status: 'ok', function: 'usage'});
  const away = `http://127.0.0.1:${await closedPort(t)}`;
  const {of} = await findings(at(url), '--function', `usage=${url}/`, `budget=${away}`);
  t.like(of('function usage'), {state: 'ok'});
  t.like(of('function budget'), {state: 'fail'});
});

test('a server of another release is told', async t => {
  const answers = {'/me': operator, '/models': {data: []}};
  const of = async (version: string) => {
    const {url} = await startFront(
      t,
      {status: 'ok', function: 'gateway'},
      {...answers, '/openapi.json': {info: {version}}},
    );
    return (await findings(at(url))).of('API version')?.state;
  };
  t.is(await of(apiVersion), 'ok');
  t.is(await of(apiVersion.replace(/\d+$/, '999')), 'warn');
  t.is(await of('99.0.0'), 'fail');
});

test('warnings alone are well, unless --strict says otherwise', async t => {
  const {url} = await startFront(
    t,
    {status: 'ok', function: 'gateway'},
    {'/me': operator, '/models': {data: []}},
  );
  t.like((await findings(at(url))).of('models'), {state: 'warn', found: 'none is registered'});
  t.is((await doctor(at(url))).code, 0);
  const {code, err} = await doctor(at(url), '--strict');
  t.is(code, 1);
  t.regex(err, /^sluice: 1 of \d+ checks failed\n$/);
});

test('a wrong key, a server that is away, and none at all fail with what to do', async t => {
  const admin = await startAdmin(t);
  const wrong = await findings({
    SLUICE_URL: admin.url,
    SLUICE_ADMIN_KEY: 'another-key-of-this-test',
  });
  t.is(wrong.code, 1);
  t.like(wrong.of('key'), {state: 'fail', found: 'the server does not take this key'});
  const away = await findings(at(`http://127.0.0.1:${await closedPort(t)}`));
  t.like(away.of('server'), {state: 'fail'});
  t.regex(away.of('server')?.found ?? '', /ECONNREFUSED/);
  t.is(away.of('key'), undefined);
  const none = await findings({});
  t.regex(none.of('server')?.found ?? '', /no server: set SLUICE_URL/);
});

test('PostgreSQL is looked at: version, role, schema, clock, connections', async t => {
  const admin = await startAdmin(t);
  const url = admin.database.url('tenant');
  const {of} = await findings({...at(admin.url), DATABASE_URL: url});
  for (const check of ['PostgreSQL', 'database role', 'database clock', 'connections', 'schema']) {
    t.like(of(check), {state: 'ok'}, check);
  }
  t.is(of('database role')?.found, 'sluice_tenant is bound by row-level security');
});

test('a superuser, a schema that is behind, ahead or not there are failures', async t => {
  const database = await createTestDatabase(t);
  const DATABASE_URL = database.url('superuser');
  const pool = database.pool('superuser');
  const role = (await findings({DATABASE_URL})).of('database role');
  t.like(role, {state: 'fail'});
  t.regex(role?.remedy ?? '', /sluice_tenant/);
  const owned = {DATABASE_URL: database.url('owner')};
  t.like((await findings(owned)).of('schema'), {state: 'ok'});
  await pool.query("delete from migrations where name = '0010-audit.sql'");
  t.like((await findings(owned)).of('schema'), {
    state: 'fail',
    found: '0010-audit.sql is not applied',
  });
  await pool.query(
    "insert into migrations (name, hash) values ('0010-audit.sql', ''), ('9999-next.sql', '')",
  );
  t.regex((await findings(owned)).of('schema')?.found ?? '', /9999-next\.sql, which this release/);
  await pool.query('drop table migrations');
  t.like((await findings(owned)).of('schema'), {state: 'fail', found: 'there is none'});
});

test('PostgreSQL that is away or refuses the password is told without the password', async t => {
  const port = await closedPort(t);
  const away = await doctor({DATABASE_URL: `postgres://sluice_tenant:hunter2@127.0.0.1:${port}/x`});
  t.is(away.code, 1);
  t.regex(away.out, /PostgreSQL +connect ECONNREFUSED/);
  t.regex(away.out, /do: is it running/);
  const database = await createTestDatabase(t);
  const url = new URL(database.url('tenant'));
  url.password = 'hunter2';
  const wrong = await doctor({DATABASE_URL: url.href});
  t.regex(wrong.out, /FAILED +PostgreSQL/);
  t.notRegex(away.out + wrong.out, /hunter2/);
});

test('Redis is well, throws away what it should not, and is stopped', async t => {
  t.like((await findings({REDIS_URL: testRedis(t).url})).of('Redis'), {state: 'ok'});
  const redis = await startRedis(t);
  const {Redis} = await import('ioredis');
  const client = new Redis(redis.url);
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
  client.disconnect();
  t.like((await findings({REDIS_URL: redis.url})).of('Redis memory'), {state: 'warn'});
  await redis.remove();
  const {code, of} = await findings({REDIS_URL: redis.url});
  t.is(code, 1);
  t.like(of('Redis'), {state: 'fail'});
  t.regex(of('Redis')?.found ?? '', /ECONNREFUSED/);
});

test('Kafka is looked at: brokers, topic, partitions, copies; and away', async t => {
  const kafka = testKafka(t);
  const environment = {KAFKA_BROKERS: kafka.brokers.join(',')};
  const topic = kafka.topic('usage');
  t.like((await findings(environment, '--topic', topic)).of('topic'), {state: 'fail'});
  await kafka.createTopic(topic, {partitions: 3});
  const {of} = await findings(environment, '--topic', topic);
  t.like(of('Kafka'), {state: 'ok'});
  t.like(of('topic'), {state: 'ok', found: `${topic} has 3 partitions`});
  t.like(of('replication'), {state: 'warn'});
  const away = await findings({KAFKA_BROKERS: `127.0.0.1:${await closedPort(t)}`});
  t.like(away.of('Kafka'), {state: 'fail'});
});

test('an OpenID provider that calls itself otherwise is a failure', async t => {
  let issuer = '';
  const {url} = await createHttpTestServer(t, (_request, response) => {
    response.writeHead(200, {'content-type': 'application/json'});
    response.end(JSON.stringify({issuer, jwks_uri: 'http://x/jwks'}));
  });
  issuer = url;
  t.like((await findings({OIDC_ISSUER: url})).of('OpenID provider'), {state: 'ok'});
  issuer = 'https://other.example';
  t.like((await findings({OIDC_ISSUER: url})).of('OpenID provider'), {
    state: 'fail',
    remedy: 'OIDC_ISSUER=https://other.example',
  });
});

test('Brokers in memory are a warning, those of Kafka are well', async t => {
  const broker = (name: string, annotations?: Record<string, string>) => ({
    metadata: {name, namespace: 'sluice', ...(annotations ? {annotations} : {})},
  });
  const {url} = await createHttpTestServer(t, (request, response) => {
    t.is(request.url?.split('?')[0], '/apis/eventing.knative.dev/v1/brokers');
    response.writeHead(200, {'content-type': 'application/json'});
    response.end(
      JSON.stringify({
        items: [broker('default'), broker('kept', {'eventing.knative.dev/broker.class': 'Kafka'})],
      }),
    );
  });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-doctor-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  const file = join(folder, 'config');
  await writeFile(
    file,
    JSON.stringify({
      clusters: [{name: 'c', cluster: {server: url, 'insecure-skip-tls-verify': true}}],
      users: [{name: 'u', user: {token: 't'}}],
      contexts: [{name: 'x', context: {cluster: 'c', user: 'u'}}],
      'current-context': 'x',
    }),
  );
  const {of} = await findings({KUBECONFIG: file});
  t.like(of('Broker sluice/default'), {state: 'warn'});
  t.like(of('Broker sluice/kept'), {state: 'ok'});
});
