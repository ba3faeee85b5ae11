import test from 'ava';
import fc from 'fast-check';
import {messages} from '../../functions/gateway/surface/messages.ts';
import {responses} from '../../functions/gateway/surface/responses.ts';

const event = (name: string, data: object) =>
  `event: ${name}\ndata: ${JSON.stringify({type: name, ...data})}\n\n`;
const unnamed = (name: string, data: object) =>
  `data: ${JSON.stringify({type: name, ...data})}\n\n`;
const tokens = (inputTokens: number, cachedInputTokens: number, outputTokens: number) => ({
  inputTokens,
  cachedInputTokens,
  outputTokens,
});

const run = (form: typeof responses, pieces: readonly (Buffer | string)[]) => {
  const meter = form.meter(undefined);
  const out = pieces.map(piece => meter.push(Buffer.from(piece)));
  out.push(meter.flush());
  return {
    text: Buffer.concat(out).toString(),
    reported: meter.reported(),
    counted: meter.counted(400),
    events: meter.events(),
  };
};

const usage = {input_tokens: 20, input_tokens_details: {cached_tokens: 5}, output_tokens: 3};
const completed = (more: object = {}) =>
  event('response.completed', {response: {status: 'completed', usage, ...more}});
const text = (delta: string) => event('response.output_text.delta', {delta});
const start = (counts: object) => event('message_start', {message: {usage: counts}});
const delta = (said: string) => event('content_block_delta', {delta: {text: said}});
const end = (counts: object) =>
  event('message_delta', {delta: {stop_reason: 'end_turn'}, usage: counts});

test('Responses: the last event reports, and nothing is taken out', t => {
  const stream = `${event('response.created', {response: {usage: null}})}${text('é')}${completed()}`;
  const found = run(responses, [stream]);
  t.is(found.text, stream);
  t.deepEqual(found.reported, tokens(20, 5, 3));
});

for (const last of ['response.completed', 'response.incomplete', 'response.failed']) {
  test(`Responses: ${last} is an end that reports`, t => {
    t.deepEqual(run(responses, [event(last, {response: {usage}})]).reported, tokens(20, 5, 3));
  });
}

test('Responses: events without a name are known by their type', t => {
  const named = unnamed('response.output_text.delta', {delta: 'a'});
  t.deepEqual(run(responses, [named, named]).counted, tokens(100, 0, 2));
  t.deepEqual(
    run(responses, [unnamed('response.completed', {response: {usage}})]).reported,
    tokens(20, 5, 3),
  );
});

test('Responses: deltas of texts, reasons and calls are counted where no report comes', t => {
  const names = ['output_text', 'reasoning_text', 'function_call_arguments', 'refusal'];
  const stream = names.map(name => event(`response.${name}.delta`, {delta: 'x'})).join('');
  t.deepEqual(run(responses, [stream]).counted, tokens(100, 0, 4));
  t.is(run(responses, [stream]).reported, undefined);
  t.is(run(responses, [event('response.created', {response: {}})]).counted, undefined);
});

test('Responses: only the report in its place counts', t => {
  const hostile = {usage: {input_tokens: 1, output_tokens: 1}, response: {usage}};
  const stream =
    event('response.created', {response: {tools: [hostile], usage: null}, usage}) +
    text('"usage":{"input_tokens":1}\n\nevent: response.completed') +
    completed({tools: [hostile], metadata: hostile, usage: {...usage, output_tokens: 9}});
  t.deepEqual(run(responses, [stream]).reported, tokens(20, 5, 9));
});

test('Messages: prompt from the beginning, answer from the last delta', t => {
  const stream = start({input_tokens: 12, output_tokens: 1}) + delta('a') + end({output_tokens: 7});
  const found = run(messages, [stream]);
  t.is(found.text, stream);
  t.deepEqual(found.reported, tokens(12, 0, 7));
});

test('Messages: what was cached is beside input_tokens, not in it', t => {
  const counts = {
    input_tokens: 10,
    cache_read_input_tokens: 30,
    cache_creation_input_tokens: 5,
    output_tokens: 0,
  };
  const all = run(messages, [start(counts), delta('a'), end({output_tokens: 2})]);
  t.deepEqual(all.reported, tokens(45, 30, 2));
  t.deepEqual(run(messages, [start(counts), delta('a')]).counted, tokens(45, 30, 1));
  t.deepEqual(messages.usage({...counts, output_tokens: 4}), tokens(45, 30, 4));
});

test('Messages: a last delta that leaves out the prompt, or has none of it, leaves what was said', t => {
  for (const more of [{}, {input_tokens: 0}, {input_tokens: null, cache_read_input_tokens: null}]) {
    const stream = start({input_tokens: 12, output_tokens: 0}) + end({...more, output_tokens: 7});
    t.deepEqual(run(messages, [stream]).reported, tokens(12, 0, 7));
  }
  const late =
    start({input_tokens: 0, output_tokens: 0}) + end({input_tokens: 9, output_tokens: 7});
  t.deepEqual(run(messages, [late]).reported, tokens(9, 0, 7));
});

test('Messages: without a last delta the deltas are counted, on the prompt that is known', t => {
  const told = start({input_tokens: 12, output_tokens: 0}) + delta('a') + delta('b');
  t.deepEqual(run(messages, [told]).counted, tokens(12, 0, 2));
  t.deepEqual(run(messages, [delta('a')]).counted, tokens(100, 0, 1));
  t.is(run(messages, [event('ping', {})]).counted, undefined);
  t.deepEqual(
    run(messages, [start({input_tokens: 12, output_tokens: 0})]).counted,
    tokens(12, 0, 0),
  );
});

test('a report that cannot be true is no report', t => {
  for (const wrong of [-1, 1.5, '5', 1e15, [], {}]) {
    const response = {usage: {input_tokens: wrong, output_tokens: 1}};
    t.is(run(responses, [event('response.completed', {response})]).reported, undefined);
    t.is(run(messages, [end({input_tokens: 5, output_tokens: wrong})]).reported, undefined);
    t.is(run(messages, [end({input_tokens: wrong, output_tokens: 5})]).reported, undefined);
    const cached = {input_tokens: 50, cache_read_input_tokens: wrong, output_tokens: 5};
    t.is(run(messages, [end(cached)]).reported, undefined);
  }
});

test('events that are none, broken or endless pass as they are', t => {
  const streams = [
    'event: response.completed\ndata: {"response":{"usage":\n\n',
    'event: response.completed\ndata: null\n\n',
    'event: response.completed\ndata: {"response":5}\n\n',
    'event: message_delta\ndata: {"usage":[]}\n\n',
    'event: message_start\n\n',
    'event: \n\ndata:\n\n\n\n: comment\n\n',
    `event: ${'x'.repeat(500)}\ndata: {}\n\n`,
    `data: ${'x'.repeat(9 * 1024 * 1024)}`,
  ];
  for (const form of [responses, messages]) {
    for (const stream of streams) {
      const found = run(form, [stream]);
      t.is(found.text, stream);
      t.is(found.reported, undefined);
    }
  }
});

test('a last event that repeats a long answer is read', t => {
  const output = [{content: [{text: 'x'.repeat(3 * 1024 * 1024)}]}];
  const bytes = Buffer.from(completed({output}));
  const pieces = Array.from({length: Math.ceil(bytes.length / 65_536)}, (_, at) =>
    bytes.subarray(at * 65_536, (at + 1) * 65_536),
  );
  t.deepEqual(run(responses, pieces).reported, tokens(20, 5, 3));
});

test('where the stream is cut, and how its lines end, makes no difference', t => {
  const lines = [
    start({input_tokens: 12, output_tokens: 0}) + delta('é') + delta('€') + end({output_tokens: 2}),
  ];
  for (const given of [lines.join(''), lines.join('').replaceAll('\n', '\r\n')]) {
    const stream = Buffer.from(given);
    const whole = run(messages, [stream]);
    t.is(whole.events, 4);
    t.deepEqual(whole.reported, tokens(12, 0, 2));
    const property = fc.property(fc.array(fc.nat(stream.length), {maxLength: 12}), cuts => {
      const points = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const pieces = points.slice(1).map((to, index) => stream.subarray(points[index], to));
      t.deepEqual(run(messages, pieces), whole);
    });
    fc.assert(property, {numRuns: 200});
  }
});
