import {readFileSync} from 'node:fs';
import {createServer, type IncomingHttpHeaders} from 'node:http';
import type {AddressInfo} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createPrincipalLoader} from '../../functions/auth/load-principal.ts';
import {createPrincipals} from '../../functions/auth/principals.ts';
import {verifyRoutes} from '../../functions/auth/verify.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {type ProxyServer, startEnvoy, startNginx} from '../runner/proxies.ts';

const readme = readFileSync(new URL('../../functions/auth/README.md', import.meta.url), 'utf8');
const block = (language: string) => {
  const found = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(readme);
  if (!found) {
    throw new Error(`expected functions/auth/README.md to have a block in ${language}`);
  }
  return found[1] as string;
};

/** What the model server behind the proxy received. */
type Received = {path: string; headers: IncomingHttpHeaders; bytes: number};

const startUpstream = async (t: ExecutionContext) => {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) {
      bytes += (chunk as Buffer).length;
    }
    received.push({path: request.url ?? '', headers: request.headers, bytes});
    response.end('answered');
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return {received, port: (server.address() as AddressInfo).port};
};

const startVerify = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const pool = database.pool('system');
  const [org, project] = [uuidv7(), uuidv7()];
  await pool.query('insert into orgs (id, name) values ($1, $1::uuid::text)', [org]);
  await pool.query(`insert into projects (id, org_id, name) values ($1, $2, 'p')`, [project, org]);
  const makeKey = async (
    more: {scopes?: string[]; environments?: string[]; revoked?: boolean; org?: string} = {},
  ) => {
    const {text, publicId, secret} = makeApiKey();
    const id = uuidv7();
    await pool.query(
      `insert into keys (id, org_id, project_id, public_id, secret_hash, name, scopes, environments, revoked_at)
       values ($1, $2, $3, $4, $5, 'k', $6, $7, case when $8 then now() end)`,
      [
        id,
        org,
        project,
        publicId,
        hashSecret(secret),
        more.scopes ?? null,
        more.environments ?? null,
        more.revoked ?? false,
      ],
    );
    return {id, text};
  };
  const principals = createPrincipals({
    load: createPrincipalLoader(database.pool('gateway')),
    environment: 'production',
  });
  const auth = await serve({
    name: 'auth',
    host: '127.0.0.1',
    logger: createLogger({name: 'auth', level: 'silent'}),
    bodyBytes: 64 * 1024,
    routes: verifyRoutes({principals, isStale: () => false}),
  });
  t.teardown(auth.close);
  const suspend = async () => {
    await pool.query('update orgs set suspended_at = now() where id = $1', [org]);
    principals.onChanges('all');
  };
  return {auth, org, project, makeKey, suspend};
};

const proxies: Readonly<
  Record<
    string,
    {start: (auth: number, models: number) => Promise<ProxyServer>; awayStatus: number}
  >
> = {
  NGINX: {
    start: (auth, models) =>
      startNginx(block('nginx'), {
        'server auth.sluice.svc.cluster.local:80;': `server 127.0.0.1:${auth};`,
        'server models:8000;': `server 127.0.0.1:${models};`,
        'listen 8080;': 'listen 127.0.0.1:PORT;',
      }),
    awayStatus: 500,
  },
  Envoy: {
    start: (auth, models) =>
      startEnvoy(block('yaml'), {
        '{address: auth.sluice.svc.cluster.local, port_value: 80}': `{address: 127.0.0.1, port_value: ${auth}}`,
        '{address: models, port_value: 8000}': `{address: 127.0.0.1, port_value: ${models}}`,
        '{address: 0.0.0.0, port_value: 8080}': '{address: 127.0.0.1, port_value: PORT}',
      }),
    awayStatus: 503,
  },
};

for (const [name, {start, awayStatus}] of Object.entries(proxies)) {
  test(`${name}, as the README configures it, lets through whom /verify lets through, and tells the upstream who it is`, async t => {
    t.timeout(300_000);
    const [{auth, org, project, makeKey, suspend}, upstream] = await Promise.all([
      startVerify(t),
      startUpstream(t),
    ]);
    const proxy = await start(auth.port, upstream.port);
    t.teardown(proxy.remove);
    upstream.received.length = 0;
    const send = (
      key: string | undefined,
      path = '/v1/chat/completions?stream=true',
      init: RequestInit = {},
    ) =>
      fetch(proxy.url + path, {
        ...init,
        headers: {...init.headers, ...(key === undefined ? {} : {authorization: `Bearer ${key}`})},
      });
    const good = await makeKey();

    const claimed = {
      'x-sluice-org': 'somebody-else',
      'x-sluice-project': 'somebody-else',
      'x-sluice-key': 'somebody-else',
      'x-sluice-scopes': 'everything',
    };
    const passed = await send(good.text, undefined, {
      method: 'POST',
      headers: claimed,
      body: Buffer.alloc(1_000_000),
    });
    t.is(passed.status, 200);
    t.is(await passed.text(), 'answered');
    const [received] = upstream.received;
    t.is(received?.path, '/v1/chat/completions?stream=true');
    t.is(received?.bytes, 1_000_000, 'the body is the upstream’s, whole');
    t.like(received?.headers, {
      'x-sluice-org': org,
      'x-sluice-project': project,
      'x-sluice-key': good.id,
      'x-sluice-scopes': 'inference,models,events',
    });
    t.is(received?.headers.authorization, undefined, 'the key stays at the proxy');

    const refused: [string, string | undefined, number][] = [
      ['no key', undefined, 401],
      ['an unknown key', makeApiKey().text, 401],
      ['no key of ours', 'sk-live-1234', 401],
      ['a revoked key', (await makeKey({revoked: true})).text, 401],
      ['a key of another environment', (await makeKey({environments: ['staging']})).text, 403],
      ['a key of another scope', (await makeKey({scopes: ['events']})).text, 403],
    ];
    for (const [what, key, status] of refused) {
      const answer = await send(key, undefined, {headers: claimed});
      t.is(answer.status, status, what);
      if (status === 401) {
        t.regex(answer.headers.get('www-authenticate') ?? '', /^Bearer realm="sluice"/, what);
      }
      await answer.body?.cancel();
    }
    t.is((await send((await makeKey({scopes: ['inference']})).text)).status, 200);
    const own = await send(good.text, '/verify?scope=nonsense&model=none');
    t.is(own.status, 200, 'a query of the client’s is no wish of the proxy’s');

    const many = await Promise.all(
      Array.from({length: 100}, (_, index) => send(index % 2 === 0 ? good.text : undefined)),
    );
    t.deepEqual(
      many.map(({status}) => status),
      many.map((_, index) => (index % 2 === 0 ? 200 : 401)),
    );
    t.is(upstream.received.length, 53);

    await suspend();
    t.is((await send(good.text)).status, 403);
    await auth.close();
    const away = await send(good.text);
    t.is(away.status, awayStatus, 'nobody passes while nobody can tell');
    t.is(upstream.received.length, 53);
  });
}
