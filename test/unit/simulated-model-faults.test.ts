import {request} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import {type Fault, faultNames} from '../../knative/local/simulated-model/faults.ts';
import {chat, readStream, startModel, until} from '../helpers/simulated-model.ts';

const path = '/v1/chat/completions';

/** Posts with node:http, which tells a reset from an end, and gives what came until then. */
const postRaw = (url: string, body: object) =>
  new Promise<{status: number; text: string; error: string}>(resolve => {
    let status = 0;
    let text = '';
    let error = '';
    const sent = request(url + path, {method: 'POST', agent: false}, response => {
      status = response.statusCode ?? 0;
      response.setEncoding('utf8');
      response.on('data', part => {
        text += part;
      });
      response.on('error', failure => {
        error = (failure as NodeJS.ErrnoException).code ?? failure.message;
      });
      response.on('close', () => resolve({status, text, error}));
    });
    sent.on('error', failure =>
      resolve({status, text, error: (failure as NodeJS.ErrnoException).code ?? failure.message}),
    );
    sent.end(JSON.stringify(body));
  });

test('error-500 and error-503 are vLLM’s error objects', async t => {
  for (const [fault, status] of [
    ['error-500', 500],
    ['error-503', 503],
  ] as const) {
    const model = await startModel(t, {faults: [fault]});
    const answer = await model.postJson(path, chat());
    t.is(answer.status, status);
    t.is(answer.body.error.code, status);
    t.is(model.counters().failed, 1);
    t.is(model.counters().running, 0);
  }
});

test('garbage is 200 and no JSON', async t => {
  const model = await startModel(t, {faults: ['garbage']});
  const response = await model.post(path, chat());
  t.is(response.status, 200);
  const text = await response.text();
  t.throws(() => JSON.parse(text));
});

test('a garbage stream ends without [DONE] and has no readable chunk', async t => {
  const model = await startModel(t, {faults: ['garbage-stream']});
  const response = await model.post(path, chat({stream: true}));
  t.regex(response.headers.get('content-type') ?? '', /event-stream/);
  await t.throwsAsync(readStream(response), {instanceOf: SyntaxError});
});

test('hang never answers, and the client’s leaving is an abort', async t => {
  const model = await startModel(t, {faults: ['hang']});
  const abort = new AbortController();
  const asked = model.post(path, chat(), {signal: abort.signal});
  await until(() => model.counters().running === 1);
  abort.abort();
  await t.throwsAsync(asked);
  await until(() => model.counters().aborted === 1);
  t.is(model.counters().tokensGenerated, 0);
});

test('hang-mid-stream sends its tokens and then nothing, not even an end', async t => {
  const model = await startModel(t, {faults: ['hang-mid-stream'], faultAfterTokens: 2});
  const abort = new AbortController();
  const response = await model.post(path, chat({stream: true}), {signal: abort.signal});
  const reader = response.body?.getReader();
  let text = '';
  while (!text.includes(': here it breaks off')) {
    text += Buffer.from((await reader?.read())?.value ?? []).toString();
  }
  t.is(text.match(/"content":"\w/g)?.length, 2);
  t.is(model.counters().running, 1);
  abort.abort();
  await until(() => model.counters().aborted === 1);
  t.is(model.counters().tokensSent, 2);
});

test('reset destroys the connection before any header', async t => {
  const model = await startModel(t, {faults: ['reset']});
  const answer = await postRaw(model.url, chat());
  t.deepEqual(answer, {status: 0, text: '', error: 'ECONNRESET'});
  t.is(model.counters().failed, 1);
});

test('reset-mid-stream destroys it after so many tokens', async t => {
  const model = await startModel(t, {faults: ['reset-mid-stream'], faultAfterTokens: 4});
  const answer = await postRaw(model.url, chat({stream: true}));
  t.is(answer.status, 200);
  t.is(answer.error, 'ECONNRESET');
  t.is(answer.text.match(/"content":"\w/g)?.length, 4);
  t.is(model.counters().failed, 1);
  t.is(model.counters().aborted, 0);
});

test('reset-mid-stream cuts a whole answer in half', async t => {
  const model = await startModel(t, {faults: ['reset-mid-stream']});
  const answer = await postRaw(model.url, chat());
  t.is(answer.status, 200);
  t.is(answer.error, 'ECONNRESET');
  t.throws(() => JSON.parse(answer.text));
});

test('a stream shorter than the fault’s distance still breaks before its end', async t => {
  const model = await startModel(t, {faults: ['reset-mid-stream'], faultAfterTokens: 100});
  const answer = await postRaw(model.url, chat({stream: true, max_tokens: 2}));
  t.is(answer.error, 'ECONNRESET');
  t.false(answer.text.includes('[DONE]'));
});

const usageUnder = async (t: ExecutionContext, fault: Fault) => {
  const model = await startModel(t, {faults: [fault]});
  const whole = await model.postJson(path, chat());
  const stream_options = {include_usage: true, continuous_usage_stats: true};
  const response = await model.post(path, chat({stream: true, stream_options}));
  const {chunks, done} = await readStream(response);
  t.true(done);
  return {whole: whole.body.usage, streamed: chunks.map(({usage}) => usage?.completion_tokens)};
};

test('no-usage leaves every usage out, whatever was asked', async t => {
  const {whole, streamed} = await usageUnder(t, 'no-usage');
  t.is(whole, undefined);
  t.is(streamed.length, 33);
  t.true(streamed.every(tokens => tokens === undefined));
});

test('lying-usage is far above any bound, in every report', async t => {
  const {whole, streamed} = await usageUnder(t, 'lying-usage');
  t.is(whole.completion_tokens, 1_000_000_000);
  t.true(streamed.every(tokens => tokens === 1_000_000_000));
});

test('negative-usage is below nothing, in every report', async t => {
  const {whole, streamed} = await usageUnder(t, 'negative-usage');
  t.true(whole.completion_tokens < 0 && whole.prompt_tokens < 0);
  t.true(streamed.every(tokens => tokens !== undefined && tokens < 0));
});

test('huge-chunk is one line of 2 MiB that is still one token', async t => {
  const model = await startModel(t, {faults: ['huge-chunk']});
  const {chunks} = await readStream(await model.post(path, chat({stream: true, max_tokens: 2})));
  t.is(chunks[1]?.choices[0]?.delta?.content?.length, 2 * 1024 * 1024);
  t.is(model.counters().tokensSent, 2);
});

test('slow-headers answers late and rightly', async t => {
  const model = await startModel(t, {faults: ['slow-headers'], slowHeadersMs: 60});
  const started = performance.now();
  const {body} = await model.postJson(path, chat());
  t.true(performance.now() - started > 50);
  t.is(body.usage.completion_tokens, 32);
});

test('the header names faults only where the server allows it', async t => {
  const headers = {'x-simulate': 'error-500'};
  const closed = await startModel(t);
  t.is((await closed.post(path, chat(), {headers})).status, 200);
  const open = await startModel(t, {faultsByHeader: true});
  t.is((await open.post(path, chat(), {headers})).status, 500);
  t.is((await open.post(path, chat(), {headers: {'x-simulate': 'burn'}})).status, 400);
  t.is((await open.post(path, chat())).status, 200);
});

test('faults come and go at run time, and only on their paths', async t => {
  const model = await startModel(t);
  model.set({faults: ['error-503']});
  t.is((await model.post(path, chat())).status, 503);
  t.is((await model.post('/tokenize', {prompt: 'a'})).status, 200);
  model.set({faultPaths: ['/tokenize']});
  t.is((await model.post('/tokenize', {prompt: 'a'})).status, 503);
  model.set({faults: []});
  t.is((await model.post(path, chat())).status, 200);
});

test('after every fault the server still serves and nothing runs', async t => {
  const model = await startModel(t, {faultsByHeader: true, slowHeadersMs: 1});
  for (const fault of faultNames) {
    const init = {headers: {'x-simulate': fault}, signal: AbortSignal.timeout(50)};
    await model
      .post(path, chat({stream: true}), init)
      .then(response => response.text())
      .catch(() => '');
  }
  await until(() => model.counters().running === 0);
  t.is((await model.postJson(path, chat())).status, 200);
});

test('close ends open streams and leaves the port', async t => {
  const model = await startModel(t, {tokenDelayMs: 1_000});
  const response = await model.post(path, chat({stream: true}));
  await model.close();
  await t.throwsAsync(response.text());
  await t.throwsAsync(fetch(`${model.url}/health`));
  await model.close();
});
