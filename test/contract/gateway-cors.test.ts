import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {exposedHeaders} from '../../functions/gateway/front/cors.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';

const page = 'https://app.example.org';
const asked = {
  origin: page,
  'access-control-request-method': 'POST',
  'access-control-request-headers': 'authorization,content-type,x-stainless-lang',
};
const preflight = (url: string, headers: Record<string, string> = asked) =>
  fetch(`${url}/v1/chat/completions`, {method: 'OPTIONS', headers});

test('a page that is listed is told before that it may call, without a key', async t => {
  const gateway = await startGateway(t, {parts: {origins: [page, 'http://localhost:3000']}});
  const {status, headers} = await preflight(gateway.url);
  t.is(status, 204);
  t.is(headers.get('access-control-allow-origin'), page);
  t.is(headers.get('access-control-allow-methods'), 'POST');
  t.is(headers.get('access-control-allow-headers'), asked['access-control-request-headers']);
  t.is(headers.get('access-control-max-age'), '7200');
  t.is(headers.get('vary'), 'origin');
  t.is(headers.get('access-control-allow-credentials'), null);
});

test('a page that is not listed is refused, and its requests are answered without a word that lets it read them', async t => {
  const gateway = await startGateway(t, {parts: {origins: [page]}});
  for (const origin of [
    'https://evil.example',
    `${page}.evil.example`,
    'null',
    page.toUpperCase(),
  ]) {
    const refused = await preflight(gateway.url, {...asked, origin});
    t.is(refused.status, 403);
    t.is(refused.headers.get('access-control-allow-origin'), null);
    const {headers} = await gateway.post('/v1/chat/completions', chat(), {headers: {origin}});
    t.is(headers.get('access-control-allow-origin'), null);
    t.is(headers.get('vary'), 'origin');
  }
});

test('answers and refusals alike can be read by a page that is listed, streams too', async t => {
  const gateway = await startGateway(t, {parts: {origins: [page]}});
  for (const [body, status] of [
    [chat({max_tokens: 2}), 200],
    [chat({max_tokens: 2, stream: true}), 200],
    [chat({model: 'nope'}), 404],
    ['{', 400],
  ] as const) {
    const response = await gateway.post('/v1/chat/completions', body, {headers: {origin: page}});
    t.is(response.status, status);
    t.is(response.headers.get('access-control-allow-origin'), page);
    const exposed = response.headers.get('access-control-expose-headers')?.split(', ') ?? [];
    t.deepEqual(exposed, exposedHeaders);
    for (const [name] of response.headers) {
      const isOurs = /^(x-(request|sluice|rate|should)|ratelimit|retry-after)/.test(name);
      t.true(!isOurs || exposed.includes(name), name);
    }
    await response.text();
  }
});

test('a request without an origin is answered as ever; without a list nothing is said at all', async t => {
  const listed = await startGateway(t, {parts: {origins: [page]}});
  const plain = await listed.post('/v1/chat/completions', chat());
  t.is(plain.status, 200);
  t.is(plain.headers.get('access-control-allow-origin'), null);
  const unlisted = await startGateway(t);
  const response = await preflight(unlisted.url);
  t.is(response.status, 405);
  t.is(response.headers.get('allow'), 'POST');
  t.is(response.headers.get('vary'), null);
});

test('where every page may call it is told so', async t => {
  const gateway = await startGateway(t, {parts: {origins: ['*']}});
  const {status, headers} = await preflight(gateway.url);
  t.is(status, 204);
  t.is(headers.get('access-control-allow-origin'), '*');
});

test('OPTIONS that is no preflight is 405, of what is no route 404', async t => {
  const gateway = await startGateway(t, {parts: {origins: [page]}});
  t.is((await preflight(gateway.url, {origin: page})).status, 405);
  const headers = asked;
  t.is((await fetch(`${gateway.url}/v1/x`, {method: 'OPTIONS', headers})).status, 404);
  const models = await fetch(`${gateway.url}/v1/models`, {
    method: 'OPTIONS',
    headers: {...asked, 'access-control-request-method': 'GET'},
  });
  t.is(models.headers.get('access-control-allow-methods'), 'GET');
});

const main = fileURLToPath(new URL('../../functions/gateway/main.ts', import.meta.url));
const start = (settings: Record<string, string>) =>
  spawnSync(process.execPath, ['--no-warnings', main], {
    encoding: 'utf8',
    env: {PATH: process.env.PATH, DATABASE_URL: 'postgres://u@127.0.0.1:1/none', ...settings},
    timeout: 60_000,
  });

test('in production a list of all pages, and anywhere what is no origin, is refused at the start', t => {
  t.timeout(120_000);
  const everyone = start({CORS_ORIGINS: `${page},*`, ENVIRONMENT: 'production'});
  t.is(everyone.status, 2);
  t.regex(everyone.stderr, /CORS_ORIGINS: expected a list of origins, got "\*"/);
  const path = start({CORS_ORIGINS: `${page}/path`});
  t.is(path.status, 2);
  t.regex(path.stderr, /CORS_ORIGINS: expected origins like/);
});
