import test from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {createMemoryStore} from '../../functions/registry/store-memory.ts';
import {createOpenApi} from '../helpers/openapi.ts';
import {createFakeProbe, ill, makeBody, well} from '../helpers/registry.ts';

const adminKey = 'the-admin-key-of-this-test';
const base = '/admin/v1/models';

test("the registry's answers are what the admin contract says", async t => {
  const contract = createOpenApi();
  const {probe, findings} = createFakeProbe();
  const server = await serve({
    name: 'registry',
    host: '127.0.0.1',
    bodyBytes: 32 * 1024,
    logger: createLogger({name: 'registry', level: 'silent'}),
    routes: registryRoutes({
      registry: createRegistry({store: createMemoryStore(), probe}),
      guard: createGuard({adminKey}),
    }),
  });
  t.teardown(server.close);
  const call = async (method: string, path: string, body?: unknown, token = adminKey) => {
    const response = await fetch(server.url + path, {
      method,
      headers: {authorization: `Bearer ${token}`, 'content-type': 'application/json'},
      ...(body === undefined ? {} : {body: JSON.stringify(body)}),
    });
    const text = await response.text();
    const answer = {
      status: response.status,
      contentType: response.headers.get('content-type'),
      body: text === '' ? undefined : JSON.parse(text),
    };
    contract.check({method, path, ...answer});
    return answer;
  };
  findings['http://a:8000'] = ill;
  const {body} = await call('POST', base, makeBody());
  const path = `${base}/${body.id}`;
  await call('POST', `${path}/enable`);
  findings['http://a:8000'] = well;
  await call('POST', `${path}/probe`);
  await call('POST', `${path}/disable`);
  await call('POST', `${path}/enable`);
  await call('GET', path);
  await call('GET', base);
  await call(
    'POST',
    base,
    makeBody({price: 'free', metadata: {any: ['thing']}, namespace: 'models'}),
  );
  await call('POST', base, makeBody({price: undefined}));
  await call('POST', base, makeBody({name: 'x'.repeat(40_000)}));
  const limited = await call('POST', base, makeBody({requestsPerMinute: 60, parallelRequests: 3}));
  t.like(limited.body, {requestsPerMinute: 60, parallelRequests: 3});
  const changed = await call('PATCH', path, {parallelRequests: null, tokensPerMinute: 1_000});
  t.like(changed.body, {requestsPerMinute: 60, tokensPerMinute: 1_000});
  t.false('parallelRequests' in changed.body);
  for (const body of [{}, {requestsPerMinute: 0}, {tokensPerMinute: '1'}, {price: 'free'}]) {
    t.is((await call('PATCH', path, body)).status, 400, JSON.stringify(body));
  }
  t.is((await call('PATCH', path, {metadata: 'x'.repeat(40_000)})).status, 413);
  t.deepEqual((await call('GET', path)).body, changed.body);
  await call('GET', `${base}?status=x`);
  await call('DELETE', path);
  for (const [method, at] of [
    ['GET', path],
    ['DELETE', path],
    ['POST', `${path}/enable`],
    ['POST', `${path}/disable`],
    ['POST', `${base}/${uuidv7()}/probe`],
    ['GET', `${base}/x`],
  ] as const) {
    t.is((await call(method, at)).status, 404, `${method} ${at}`);
    t.is((await call(method, at, undefined, 'wrong')).status, 401, `${method} ${at}`);
  }
  t.is((await call('PATCH', path, {requestsPerMinute: 1})).status, 404);
  t.is((await call('PATCH', path, {requestsPerMinute: 1}, 'wrong')).status, 401);
  const promised = Object.entries(contract.document.paths)
    .filter(([template]) => template.startsWith(base))
    .flatMap(([template, item]) =>
      Object.entries(item)
        .filter(([method]) => method !== 'parameters')
        .flatMap(([method, {responses}]) =>
          Object.keys(responses).map(status => `${method.toUpperCase()} ${template} ${status}`),
        ),
    );
  // A conflict of a registration needs two at once; what the guard, ETags and a database that is away answer is the same for every route.
  const unseen = promised.filter(what => !contract.seen.has(what));
  t.deepEqual(
    unseen.filter(what => !/ (304|400|401|403|412|415|503)$/.test(what)),
    [`POST ${base} 409`],
  );
});
