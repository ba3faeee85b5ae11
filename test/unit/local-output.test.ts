import test from 'ava';
import {createLogView} from '../../knative/local/logs.ts';
import {jsonLine, readyText} from '../../knative/local/output.ts';
import {findUpstreams, listUpstreamModels} from '../../knative/local/upstream.ts';
import {createHttpTestServer, nowhere} from '../helpers/http.ts';

const ready = {
  url: 'http://127.0.0.1:8080',
  apiKey: 'sk-a-b',
  adminKey: 'sk-admin-c',
  model: 'simulated-chat',
  environment: 'development',
};

test('the JSON line is one line with the promised fields', t => {
  const line = jsonLine({...ready, more: 1} as typeof ready);
  t.is(line.indexOf('\n'), line.length - 1);
  t.deepEqual(JSON.parse(line), ready);
});

test('the page for people has the URL, the key, a request to copy, and never the admin key', t => {
  const text = readyText({ready, upstream: undefined, found: [], dataFolder: '.sluice'});
  t.regex(text, /http:\/\/127\.0\.0\.1:8080\/v1\/chat\/completions/);
  t.regex(text, /authorization: Bearer sk-a-b/);
  t.regex(text, /simulated/);
  t.regex(text, /npm run sluice -- usage/);
  t.notRegex(text, /sk-admin/);
});

test('a server found on this machine is offered, unless one was given', t => {
  const found = [{name: 'vLLM', url: 'http://127.0.0.1:8000'}];
  t.regex(
    readyText({ready, upstream: undefined, found, dataFolder: '.sluice'}),
    /npm start -- --upstream http:\/\/127\.0\.0\.1:8000/,
  );
  t.notRegex(
    readyText({ready, upstream: 'http://gpu', found, dataFolder: '.sluice'}),
    /npm start -- --upstream/,
  );
});

test('a person sees warnings in short and nothing below', t => {
  const view = createLogView({raw: false, level: 'warn'});
  t.is(view('gateway', '{"level":"info","msg":"listening"}'), undefined);
  t.is(
    view(
      'gateway',
      '{"level":"warn","time":"x","function":"gateway","err":{"type":"Error","message":"no"},"msg":"slow"}',
    ),
    'gateway: warn slow err=Error: no',
  );
  t.is(view('gateway', 'a stack trace'), 'gateway: a stack trace');
  t.is(view('gateway', '{"not":"a log"}'), 'gateway: {"not":"a log"}');
  t.is(view('gateway', '{broken'), 'gateway: {broken');
});

test('a program sees every line as it is', t => {
  const view = createLogView({raw: true, level: 'warn'});
  t.is(view('gateway', '{"level":"debug"}'), '{"level":"debug"}');
});

test('the models of an upstream come with their context length where it is told', async t => {
  const {url} = await createHttpTestServer(t, (_request, response) => {
    response.end(
      JSON.stringify({data: [{id: 'a', max_model_len: 4096}, {id: 'b'}, {id: 7}, null]}),
    );
  });
  t.deepEqual(await listUpstreamModels(url), [
    {name: 'a', contextLength: 4096},
    {name: 'b', contextLength: undefined},
  ]);
});

test('an upstream that serves nothing, answers garbage or is away is refused in words', async t => {
  const {url} = await createHttpTestServer(t, (request, response) => {
    response.statusCode = request.url?.startsWith('/broken') ? 500 : 200;
    response.end(request.url?.startsWith('/empty') ? '{"data":[]}' : 'hello');
  });
  await t.throwsAsync(listUpstreamModels(`${url}/empty`), {message: /serves no model yet/});
  await t.throwsAsync(listUpstreamModels(`${url}/broken`), {message: /answered 500/});
  await t.throwsAsync(listUpstreamModels(url), {message: /cannot use --upstream/});
  await t.throwsAsync(listUpstreamModels(nowhere), {message: /ECONNREFUSED/});
});

test('a server that hangs is not waited for when looking around', async t => {
  const slow = await createHttpTestServer(t, () => {});
  const quick = await createHttpTestServer(t, (_request, response) => {
    response.end('{"data":[{"id":"a"}]}');
  });
  const places = [
    {name: 'slow', url: slow.url, path: '/v1/models'},
    {name: 'quick', url: quick.url, path: '/v1/models'},
  ];
  t.deepEqual(await findUpstreams({places, timeoutMs: 2_000}), [{name: 'quick', url: quick.url}]);
});
