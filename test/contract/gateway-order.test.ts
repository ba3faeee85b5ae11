/** In which order a request is looked at: what is wrong in several ways is told the first, and nothing behind it has happened. */
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';
import {listFiles} from '../lint/sources.ts';

const route = '/v1/chat/completions';

test('route, method, key, encoding, body, model, ceiling, limit, budget: in this order', async t => {
  const gateway = await startGateway(t, {
    principal: {
      models: ['simulated-chat'],
      maxOutputTokens: 8,
      rates: {key: {requests: 1}},
    },
    budgets: {spent: 1},
  });
  const authorization = `Bearer ${gateway.apiKey}`;
  const packed = {authorization, 'content-encoding': 'gzip'};
  const other = chat({model: 'other', max_tokens: 9});
  const tooMany = chat({max_tokens: 9});
  const good = chat({max_tokens: 8});
  const steps: [string, string, Record<string, string>, unknown, number, string][] = [
    ['PUT', '/v1/nowhere', {}, '{', 404, 'not_found'],
    ['PUT', route, {}, '{', 405, 'method_not_allowed'],
    ['POST', route, {'content-encoding': 'gzip'}, '{', 401, 'unauthorized'],
    ['POST', route, packed, '{', 415, 'unsupported_media_type'],
    ['POST', route, {authorization}, '{', 400, 'malformed_json'],
    ['POST', route, {authorization}, {...other, n: 0}, 400, 'bad_request'],
    ['POST', route, {authorization}, other, 403, 'model_not_allowed'],
    ['POST', route, {authorization}, tooMany, 400, 'max_tokens_too_large'],
    // None of those before counted; this one does.
    ['POST', route, {authorization}, good, 402, 'insufficient_quota'],
    ['POST', route, {authorization}, good, 429, 'rate_limit_exceeded'],
    ['POST', route, {authorization}, tooMany, 400, 'max_tokens_too_large'],
  ];
  for (const [method, path, headers, body, status, code] of steps) {
    const response = await fetch(gateway.url + path, {
      method,
      headers,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const {error} = (await response.json()) as {error: {code: string}};
    t.deepEqual([response.status, error.code], [status, code]);
  }
  t.deepEqual(gateway.intents(), []);
  t.deepEqual(gateway.model.requests(), []);
  t.regex(await (await fetch(`${gateway.url}/metrics`)).text(), /^sluice_holds 0$/m);
});

test('no source of the gateway names an address: endpoints come from the registry alone', t => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const sources = listFiles(root).filter(file => /^functions\/gateway\/.*\.ts$/.test(file));
  t.true(sources.length > 50);
  for (const file of sources) {
    const code = readFileSync(`${root}/${file}`, 'utf8').replaceAll(
      /\/\*[\s\S]*?\*\/|\/\/ .*$/gm,
      '',
    );
    t.deepEqual(code.match(/['"`]https?:\/\/[^'"`$]*/g), null, file);
  }
});
