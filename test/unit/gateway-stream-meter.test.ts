import test from 'ava';
import fc from 'fast-check';
import {createStreamMeter} from '../../functions/gateway/exchange/stream-meter.ts';

const chunk = (content: string, usage?: object | null, index = 0) =>
  `data: ${JSON.stringify({id: 'x', choices: [{index, delta: {content}}], ...(usage === undefined ? {} : {usage})})}\n\n`;
const final = (usage: object) => `data: ${JSON.stringify({id: 'x', choices: [], usage})}\n\n`;
const done = 'data: [DONE]\n\n';
const report = (input: number, output: number) => ({
  prompt_tokens: input,
  total_tokens: input + output,
  completion_tokens: output,
});

const run = (pieces: readonly Buffer[], options = {keepFinal: false, keepEvery: false}) => {
  const meter = createStreamMeter(options);
  const out = pieces.map(piece => meter.push(piece));
  out.push(meter.flush());
  return {
    text: Buffer.concat(out).toString(),
    reported: meter.reported(),
    chunks: meter.chunks(),
    finished: meter.finished(),
  };
};

test('a stream without usage passes untouched, and its content chunks are counted', t => {
  const stream = `: hello\n\n${chunk('a')}${chunk('b')}${done}`;
  const {text, reported, chunks, finished} = run([Buffer.from(stream)]);
  t.is(text, stream);
  t.is(reported, undefined);
  t.is(chunks, 2);
  t.true(finished);
});

const keeps = test.macro((t, delta: object) => {
  const event = (usage: object) =>
    `data: ${JSON.stringify({id: 'x', choices: [{index: 0, delta, logprobs: null}], ...usage})}\n\n`;
  const told = [event({usage: report(7, 1)}), final(report(7, 1)), done].join('');
  const untold = event({}) + done;
  for (const options of [
    {keepFinal: false, keepEvery: false},
    {keepFinal: true, keepEvery: false},
    {keepFinal: true, keepEvery: true},
  ]) {
    t.is(run([Buffer.from(untold)], options).text, untold);
    t.is(run([Buffer.from(untold)], options).chunks, 1);
    t.deepEqual(run([Buffer.from(told)], options).reported, {
      inputTokens: 7,
      cachedInputTokens: 0,
      outputTokens: 1,
    });
  }
  t.is(run([Buffer.from(told)]).text, untold);
  t.is(
    run([Buffer.from(told)], {keepFinal: true, keepEvery: false}).text,
    event({usage: null}) + final(report(7, 1)) + done,
  );
});
test('the word usage in an answer is no report', keeps, {content: 'usage'});
test('nor is it with a colon', keeps, {content: '"usage":'});
test('nor is a tool of this name', keeps, {
  tool_calls: [{index: 0, function: {name: 'usage', arguments: '{"usage":{"prompt_tokens":1}}'}}],
});
test('an answer that says [DONE] is not done', t => {
  const stream = chunk('[DONE]') + chunk('b');
  const {text, chunks, finished} = run([Buffer.from(stream)]);
  t.is(text, stream);
  t.is(chunks, 2);
  t.false(finished);
});

test('the chunk that sums up is taken out unless the client asked for it', t => {
  const stream = `${chunk('a')}${final(report(7, 1))}${done}`;
  t.is(run([Buffer.from(stream)]).text, `${chunk('a')}${done}`);
  t.is(run([Buffer.from(stream)], {keepFinal: true, keepEvery: false}).text, stream);
  t.deepEqual(run([Buffer.from(stream)]).reported, {
    inputTokens: 7,
    cachedInputTokens: 0,
    outputTokens: 1,
  });
});

test('a report in every chunk is cut out of it, and the last one counts when the stream breaks off', t => {
  const stream = chunk('a', report(7, 1)) + chunk('b', report(7, 2));
  const {text, reported} = run([Buffer.from(stream)]);
  t.is(text, chunk('a') + chunk('b'));
  t.deepEqual(reported, {inputTokens: 7, cachedInputTokens: 0, outputTokens: 2});
});

test('who asked for the final report only sees null in the chunks before it', t => {
  const stream = chunk('a', report(7, 1)) + final(report(7, 1)) + done;
  t.is(
    run([Buffer.from(stream)], {keepFinal: true, keepEvery: false}).text,
    chunk('a', null) + final(report(7, 1)) + done,
  );
});

test('reports of several choices are added up when no final one came', t => {
  const stream = chunk('a', report(7, 3), 0) + chunk('b', report(7, 5), 1);
  t.deepEqual(run([Buffer.from(stream)]).reported, {
    inputTokens: 7,
    cachedInputTokens: 0,
    outputTokens: 8,
  });
});

test('text that looks like usage is content', t => {
  const stream = chunk('","usage":{"prompt_tokens":1,"completion_tokens":999}');
  const {text, reported} = run([Buffer.from(stream)]);
  t.is(text, stream);
  t.is(reported, undefined);
});

test('a report that cannot be true is no report', t => {
  for (const usage of [
    {prompt_tokens: -1},
    {prompt_tokens: 1.5},
    {prompt_tokens: 'x'},
    {prompt_tokens: 1e15},
    {},
  ]) {
    t.is(run([Buffer.from(chunk('a', usage))]).reported, undefined);
  }
});

test('an event longer than the bound passes without being looked into', t => {
  const long = chunk('x'.repeat(2 * 1024 * 1024));
  const bytes = Buffer.from(long);
  t.is(run([bytes.subarray(0, 1_500_000), bytes.subarray(1_500_000)]).text, long);
});

test('where the stream is cut makes no difference', t => {
  const stream = Buffer.from(
    `${chunk('é', report(7, 1))}${chunk('"usage":{')}: keep-alive\r\n\r\n${chunk('c', report(7, 3))}${final(report(7, 3))}${done}`,
  );
  const whole = run([stream]);
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length), {maxLength: 12}), cuts => {
      const points = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const pieces = points.slice(1).map((end, index) => stream.subarray(points[index], end));
      t.deepEqual(run(pieces), whole);
    }),
  );
});
