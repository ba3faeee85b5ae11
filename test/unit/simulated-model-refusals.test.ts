import test, {type ExecutionContext} from 'ava';
import {startSimulatedModel} from '../../knative/local/simulated-model/server.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';

const refused = test.macro(
  async (t: ExecutionContext, path: string, body: unknown, status: number, message: RegExp) => {
    const model = await startModel(t);
    const answer = await model.postJson(path, body);
    t.is(answer.status, status);
    t.is(answer.body.error.code, status);
    t.regex(answer.body.error.message, message);
    t.is(model.counters().requests, 0);
  },
);

const chats = '/v1/chat/completions';
const texts = '/v1/completions';

test('malformed JSON is 400', refused, chats, '{"model":', 400, /JSON object/);
test('a body that is no object is 400', refused, chats, '[1]', 400, /JSON object/);
test('an unknown model is 404', refused, chats, chat({model: 'x'}), 404, /`x` does not exist/);
test('a model that is no string is 400', refused, chats, chat({model: 1}), 400, /model/);
test('no message is 400', refused, chats, chat({messages: []}), 400, /messages/);
test('max_tokens 0 is 400', refused, chats, chat({max_tokens: 0}), 400, /max_tokens/);
test('n 1.5 is 400', refused, chats, chat({n: 1.5}), 400, /n must/);
test('stream "yes" is 400', refused, chats, chat({stream: 'yes'}), 400, /stream/);
test('best_of below n is 400', refused, texts, {prompt: 'a', n: 2, best_of: 1}, 400, /best_of/);
test('a prompt of mixed types is 400', refused, texts, {prompt: ['a', 1]}, 400, /prompt/);
test(
  'min_tokens above max_tokens is 400',
  refused,
  chats,
  chat({min_tokens: 9, max_tokens: 8}),
  400,
  /min_tokens/,
);
test(
  'stream_options without stream is 400, as in vLLM',
  refused,
  chats,
  chat({stream_options: {include_usage: true}}),
  400,
  /Stream options/,
);
test(
  'prompt and max_tokens above the context are 400',
  refused,
  chats,
  chat({max_completion_tokens: 8_192 - 10}),
  400,
  /8182 > 8192 - 11/,
);
test(
  'a prompt above the context is 400',
  refused,
  texts,
  {prompt: 'x'.repeat(4 * 8_192)},
  400,
  /8192 input tokens/,
);
test(
  'tools nested too deep to be written are 400',
  refused,
  chats,
  `{"messages":[{"role":"user"}],"tools":[${'['.repeat(50_000)}${']'.repeat(50_000)}]}`,
  400,
  /nesting/,
);

test('prompt and max_tokens that just fit the context are served', async t => {
  const model = await startModel(t);
  const body = chat({max_tokens: 8_192 - 11, ignore_eos: true});
  const answer = await model.postJson(chats, body);
  t.is(answer.body.usage.total_tokens, 8_192);
});

test('a body above 16 MiB is 413', async t => {
  const model = await startModel(t, {keepRequests: true});
  const {status, body} = await model.postJson(chats, 'x'.repeat(16 * 1024 * 1024 + 1));
  t.is(status, 413);
  t.is(body.error.code, 413);
  t.deepEqual(model.requests(), []);
});

test('invalid UTF-8 is 400', async t => {
  const model = await startModel(t);
  const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
  const response = await fetch(model.url + chats, {method: 'POST', body});
  t.is(response.status, 400);
});

test('unknown paths are 404 and wrong methods 405', async t => {
  const model = await startModel(t);
  t.is((await fetch(`${model.url}/nowhere`)).status, 404);
  t.is((await fetch(model.url + chats)).status, 405);
  t.is((await model.post('/metrics', '')).status, 405);
});

test('health, version and a query string are answered', async t => {
  const model = await startModel(t);
  t.is((await fetch(`${model.url}/health?probe=1`)).status, 200);
  t.regex(await (await fetch(`${model.url}/version`)).text(), /simulated/);
});

test('kept requests are what was sent, byte for byte', async t => {
  const model = await startModel(t, {keepRequests: true});
  const body =
    '{ "x": 12345678901234567890, "x":1,\n"messages":[{"role":"user","content":"é\\ud800"}]}';
  const response = await model.post(`${chats}?a=b`, body, {headers: {'X-Odd-Case': 'kept'}});
  t.is(response.status, 200);
  const [kept] = model.requests();
  t.deepEqual(kept?.body, Buffer.from(body));
  t.is(kept?.path, `${chats}?a=b`);
  t.is(kept?.method, 'POST');
  t.is(kept?.headers['x-odd-case'], 'kept');
});

test('requests are not kept unless that is asked for', async t => {
  const model = await startModel(t);
  await model.postJson(chats, chat());
  t.deepEqual(model.requests(), []);
});

const badOption = test.macro(async (t: ExecutionContext, options: object, message: RegExp) => {
  await t.throwsAsync(startSimulatedModel(options), {instanceOf: TypeError, message});
});

test('a negative delay is refused', badOption, {tokenDelayMs: -1}, /tokenDelayMs/);
test('a delay that is no number is refused', badOption, {firstTokenDelayMs: Number.NaN}, /first/);
test('an unknown fault is refused', badOption, {faults: ['burn']}, /burn/);
test('an unknown usage ability is refused', badOption, {usage: 'often'}, /usage/);
test('an empty list of models is refused', badOption, {models: []}, /models/);

test('tokenize counts as the other endpoints do', async t => {
  const model = await startModel(t);
  const {body: fromText} = await model.postJson('/tokenize', {prompt: 'nine byte'});
  t.is(fromText.count, 3);
  t.is(fromText.tokens.length, 3);
  t.is(fromText.max_model_len, 8_192);
  const messages = [{role: 'user', content: 'Say something.'}];
  const {body: fromChat} = await model.postJson('/tokenize', {messages});
  const {body: answer} = await model.postJson(chats, chat({max_tokens: 1}));
  t.is(fromChat.count, answer.usage.prompt_tokens);
  t.is(fromChat.tokens.length, fromChat.count);
});
