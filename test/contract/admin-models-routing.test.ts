/** How requests are routed to a model, as an operator says it: by the API, held to its contract, and by the command. */

import test, {type ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {runCli} from '../../functions/admin/cli/program.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {registryRoutes} from '../../functions/registry/routes.ts';
import {createMemoryStore} from '../../functions/registry/store-memory.ts';
import {createOpenApi} from '../helpers/openapi.ts';
import {createFakeProbe, makeBody, well} from '../helpers/registry.ts';

const adminKey = 'the-admin-key-of-this-test';
const base = '/admin/v1/models';
const urls = ['http://a:8000', 'http://b:8000'] as const;

const setUp = async (t: ExecutionContext) => {
  const contract = createOpenApi();
  const {probe} = createFakeProbe({[urls[0]]: well, [urls[1]]: well});
  const server = await serve({
    name: 'registry',
    host: '127.0.0.1',
    logger: createLogger({name: 'registry', level: 'silent'}),
    routes: registryRoutes({
      registry: createRegistry({store: createMemoryStore(), probe}),
      guard: createGuard({adminKey}),
    }),
  });
  t.teardown(server.close);
  const call = async (method: string, path: string, body?: unknown) => {
    const response = await fetch(server.url + path, {
      method,
      headers: {authorization: `Bearer ${adminKey}`, 'content-type': 'application/json'},
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
  const run = async (...args: string[]) => {
    const written = {out: '', err: ''};
    const code = await runCli(['model', ...args], {
      environment: {SLUICE_URL: server.url, SLUICE_ADMIN_KEY: adminKey},
      folder: '/',
      out: text => {
        written.out += text;
      },
      err: text => {
        written.err += text;
      },
      terminal: false,
    });
    return {code, ...written};
  };
  const json = async (...args: string[]) => {
    const {code, out, err} = await run(...args, '--json');
    t.is(code, 0, err);
    return JSON.parse(out);
  };
  return {call, run, json};
};

const boundsOf = ({endpoints}: {endpoints: {maxConcurrency: number | null}[]}) =>
  endpoints.map(({maxConcurrency}) => maxConcurrency);

const said = {startSeconds: 300, fallbacks: ['small', 'tiny'], maxOutputTokens: 2_048};

test('what a registration says of routing is shown, listed and changed as the contract says', async t => {
  const {call} = await setUp(t);
  const endpoints = [{url: urls[0], maxConcurrency: 64}, urls[1]];
  const {body} = await call('POST', base, makeBody({endpoints, ...said}));
  t.like(body, {...said, missingFallbacks: said.fallbacks});
  t.deepEqual(boundsOf(body), [64, null]);
  const path = `${base}/${body.id}`;
  t.deepEqual((await call('GET', path)).body, body);
  t.deepEqual((await call('GET', base)).body, {data: [body]});
  const change = {startSeconds: null, endpoints: [{url: `${urls[1]}/v1`, maxConcurrency: 2}]};
  const changed = (await call('PATCH', path, change)).body;
  t.like(changed, {...said, startSeconds: null});
  t.deepEqual(boundsOf(changed), [64, 2]);
  const {fallbacks} = (await call('PATCH', path, {fallbacks: null})).body;
  t.deepEqual(fallbacks, []);
  t.like((await call('POST', base, makeBody({endpoints}))).body, {
    startSeconds: null,
    fallbacks: [],
    maxOutputTokens: null,
  });
});

test('what is out of bounds is refused with its field, and changes nothing', async t => {
  const {call} = await setUp(t);
  const {body} = await call('POST', base, makeBody());
  for (const [change, parameter] of [
    [{startSeconds: 0}, 'startSeconds'],
    [{fallbacks: ['llama']}, 'fallbacks'],
    [{maxOutputTokens: '5'}, 'maxOutputTokens'],
    [{endpoints: [{url: urls[0], maxConcurrency: 100_001}]}, 'endpoints[0].maxConcurrency'],
    [{endpoints: [{url: urls[1], maxConcurrency: 1}]}, 'endpoints[0].url'],
  ] as const) {
    t.like(await call('PATCH', `${base}/${body.id}`, change), {status: 400, body: {parameter}});
  }
  t.deepEqual((await call('GET', `${base}/${body.id}`)).body, body);
});

test('a fallback that nobody registered is told until somebody does, and again when it is gone', async t => {
  const {call} = await setUp(t);
  const first = await call('POST', base, makeBody({fallbacks: ['small', 'tiny']}));
  t.deepEqual(first.body.missingFallbacks, ['small', 'tiny']);
  const path = `${base}/${first.body.id}`;
  await call('POST', base, makeBody({name: 'small', environment: 'prod'}));
  const small = (await call('POST', base, makeBody({name: 'small'}))).body;
  t.deepEqual((await call('GET', path)).body.missingFallbacks, ['tiny']);
  const changed = await call('PATCH', path, {fallbacks: ['small']});
  t.false('missingFallbacks' in changed.body);
  await call('DELETE', `${base}/${small.id}`);
  const {data} = (await call('GET', `${base}?environment=dev`)).body;
  t.deepEqual(data[0].missingFallbacks, ['small']);
});

test('the command registers and updates how requests are routed', async t => {
  const {run, json} = await setUp(t);
  const name = ['llama', '--environment', 'development'];
  const registered = await json(
    ...['register', ...name, '--endpoint', ...urls, '--price', 'free', '--max-concurrency', '32'],
    ...['--start-seconds', '60', '--fallback', 'small', 'tiny', '--max-output-tokens', '100'],
  );
  t.like(registered, {startSeconds: 60, fallbacks: ['small', 'tiny'], maxOutputTokens: 100});
  t.deepEqual(boundsOf(registered), [32, 32]);
  t.regex((await run('show', 'llama')).out, /small \(not registered\), tiny \(not registered\)/);

  const one = await json('update', 'llama', '--max-concurrency', '8', '--endpoint', urls[1]);
  t.deepEqual(boundsOf(one), [32, 8]);
  const all = await json(
    ...['update', ...name, '--max-concurrency', 'none', '--start-seconds', 'none'],
  );
  t.deepEqual(boundsOf(all), [null, null]);
  t.like(all, {startSeconds: null, fallbacks: ['small', 'tiny'], maxOutputTokens: 100});
  t.deepEqual((await json('update', 'llama', '--fallback', 'tiny')).fallbacks, ['tiny']);
  const bare = await json('update', 'llama', '--no-fallback', '--max-output-tokens', 'none');
  t.deepEqual([bare.fallbacks, bare.maxOutputTokens], [[], null]);
});

for (const [args, said] of [
  [['llama'], /give --start-seconds/],
  [['llama', '--endpoint', urls[0]], /give --max-concurrency/],
  [['llama', '--max-concurrency', 'many'], /--max-concurrency: expected a whole number or none/],
  [['llama', '--start-seconds', '1801'], /startSeconds: expected a whole number from 1 to 1800/],
  [['llama', '--fallback', 'llama'], /fallbacks: expected other models/],
] as const) {
  test(`model update ${args.join(' ')} is usage`, async t => {
    const {call, run} = await setUp(t);
    await call('POST', base, makeBody());
    const {code, err} = await run('update', ...args);
    t.is(code, 2, err);
    t.regex(err, said);
  });
}
