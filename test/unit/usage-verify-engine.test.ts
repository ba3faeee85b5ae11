import test from 'ava';
import fc from 'fast-check';
import {allowanceOf, boundOf, judgeEngine} from '../../functions/usage/verify/judge-engine.ts';
import {parseCounters} from '../../functions/usage/verify/parse-counters.ts';
import {type Snapshot, type Span, toSpans} from '../../functions/usage/verify/spans.ts';
import {createTicker} from '../../functions/usage/verify/ticker.ts';
import {createMetrics} from '../../knative/local/simulated-model/metrics.ts';

const subject = {endpoint: 'http://one', model: 'llama'};
const look = (atMs: number, prompt: number, generation: number, instance = ''): Snapshot => ({
  atMs,
  promptTokens: BigInt(prompt),
  generationTokens: BigInt(generation),
  instance,
});
const minute = 60_000;

test('counters of one model are read as vLLM writes them, summed over its engines', t => {
  const text = `# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="a \\"b\\", c\\\\d"} 1.5e+03
vllm:prompt_tokens_total{engine="1",model_name="a \\"b\\", c\\\\d"} 12.0 1700000000
vllm:prompt_tokens_total{engine="0",model_name="other"} 7
vllm:prompt_tokens_created{engine="0",model_name="a \\"b\\", c\\\\d"} 1.763e+09
vllm:generation_tokens_total{model_name="a \\"b\\", c\\\\d",engine="0"} 3
vllm:generation_tokens_total_of_something{model_name="a \\"b\\", c\\\\d"} 99
process_start_time_seconds 1.76e+09
`;
  t.deepEqual(parseCounters(text, 'a "b", c\\d'), {
    promptTokens: 1_512n,
    generationTokens: 3n,
    instance: '1.763e+09 1.76e+09',
  });
  t.is(parseCounters(text, 'a'), undefined);
  t.is(parseCounters(text, 'other'), undefined);
  for (const value of ['NaN', '+Inf', '-1', '1e300']) {
    t.is(parseCounters(text.replace('1.5e+03', value), 'a "b", c\\d'), undefined, value);
  }
});

test('the simulated model is read by the same names, whatever its own name is', t => {
  fc.assert(
    fc.property(
      fc.string({minLength: 1}).filter(name => !/[\r\n\0]/.test(name)),
      name => {
        const metrics = createMetrics([name, `${name}-other`]);
        const life = metrics.begin(name);
        life.prompt(7);
        life.generated(5);
        t.like(parseCounters(metrics.text(), name), {promptTokens: 7n, generationTokens: 5n});
      },
    ),
  );
});

test('whatever a server answers, it is counters or none', t => {
  const pieces = fc.constantFrom(
    'vllm:prompt_tokens_total',
    '{',
    '}',
    'model_name="m"',
    '"',
    '\\',
    ' ',
    '1',
    '\n',
    ',',
    'e',
    '#',
  );
  fc.assert(
    fc.property(fc.array(pieces, {maxLength: 60}), parts => {
      t.notThrows(() => parseCounters(parts.join(''), 'm'));
    }),
  );
});

test('spans go from the first look of an hour to the first of the next, and to the last look', t => {
  const looks = [0, 20, 40, 65, 90, 130, 140].map(minutes => look(minutes * minute, minutes, 0));
  t.deepEqual(
    toSpans(looks).map(({fromMs, toMs, promptTokens}) => [
      fromMs / minute,
      toMs / minute,
      promptTokens,
    ]),
    [
      [0, 65, 65n],
      [65, 130, 65n],
      [130, 140, 10n],
    ],
  );
  t.deepEqual(toSpans(looks.slice(0, 1)), []);
  t.deepEqual(toSpans([]), []);
});

test('a counter that went down, or another instance, is a reset, and counts from zero', t => {
  t.like(toSpans([look(0, 100, 50), look(minute, 30, 10)])[0], {
    reset: true,
    promptTokens: 30n,
    generationTokens: 10n,
  });
  t.like(toSpans([look(0, 100, 50, 'a'), look(minute, 130, 60, 'b')])[0], {
    reset: true,
    promptTokens: 130n,
  });
  t.like(toSpans([look(0, 100, 50, 'a'), look(minute, 130, 60, 'a')])[0], {
    reset: false,
    promptTokens: 30n,
  });
});

type Request = {from: number; length: number; input: number; output: number; cut: boolean};
const requests = fc.array(
  fc.record({
    from: fc.integer({min: 0, max: 100}),
    length: fc.integer({min: 0, max: 30}),
    input: fc.integer({min: 1, max: 500}),
    output: fc.integer({min: 0, max: 500}),
    cut: fc.boolean(),
  }),
  {maxLength: 30},
);
const waste = fc.record({
  input: fc.integer({min: 0, max: 100}),
  output: fc.integer({min: 0, max: 100}),
});

/** A server that counts the prompt when a request begins and a token at each moment; one that was cut makes a little more. */
const engineAt = (all: readonly Request[], wasted: {input: number; output: number}, at: number) => {
  let prompt = 0;
  let generation = 0;
  for (const {from, length, input, output, cut} of all) {
    const share = at >= from + length ? 1 : at < from ? 0 : (at - from) / length;
    prompt += at >= from ? input + (cut ? wasted.input : 0) : 0;
    generation += Math.floor(output * share) + (cut && share === 1 ? wasted.output : 0);
  }
  return look(at * minute, prompt, generation);
};

const chargedIn = (
  all: readonly Request[],
  {fromMs, toMs}: Span,
  charge = (request: Request) => request.output,
) => {
  const sum = (some: readonly Request[]) => ({
    input: BigInt(some.reduce((total, {input}) => total + input, 0)),
    output: BigInt(some.reduce((total, request) => total + charge(request), 0)),
  });
  const overlapping = all.filter(
    ({from, length}) => (from + length) * minute >= fromMs && from * minute <= toMs,
  );
  return {
    inside: sum(
      all.filter(({from, length}) => from * minute > fromMs && (from + length) * minute <= toMs),
    ),
    overlapping: sum(overlapping),
    uncertain: BigInt(overlapping.filter(({cut}) => cut).length),
  };
};
const instants = fc
  .uniqueArray(fc.integer({min: 0, max: 140}), {minLength: 2, maxLength: 12})
  .map(list => list.sort((a, b) => a - b));

test('what a server made and what was charged for it agree in every span, wherever the looks fall', t => {
  fc.assert(
    fc.property(requests, waste, instants, (all, wasted, at) => {
      for (const span of toSpans(at.map(one => engineAt(all, wasted, one)))) {
        t.is(judgeEngine(subject, span, chargedIn(all, span), allowanceOf(8_192)), undefined);
      }
    }),
  );
});

test('a token that was charged and never made is the alarm, if its request lies in a span without a reset', t => {
  fc.assert(
    fc.property(requests, instants, fc.nat(), (all, at, which) => {
      for (const span of toSpans(at.map(one => engineAt(all, {input: 0, output: 0}, one)))) {
        const charged = chargedIn(all, span);
        const missing = {
          ...charged,
          inside: {...charged.inside, output: span.generationTokens + 1n + BigInt(which)},
        };
        t.like(judgeEngine(subject, span, missing, allowanceOf(8_192)), {
          kind: 'ledger-above-engine',
          broken: true,
        });
        t.like(judgeEngine(subject, {...span, reset: true}, missing, allowanceOf(8_192)), {
          kind: 'engine-was-reset',
          broken: false,
        });
      }
    }),
  );
});

test('what nobody was charged for is a note, one token beyond what is explained', t => {
  const span = {fromMs: 0, toMs: 3_600_000, promptTokens: 0n, generationTokens: 0n, reset: false};
  const charged = {
    inside: {input: 10_000n, output: 1_000n},
    overlapping: {input: 10_000n, output: 1_000n},
    uncertain: 2n,
  };
  const bound = boundOf(span, charged, allowanceOf(100));
  t.deepEqual(bound, {
    input: 10_000n + 50n + 200n + 61n * 256n,
    output: 1_000n + 5n + 2_048n + 61n * 16n,
  });
  const made = {...span, promptTokens: bound.input, generationTokens: bound.output};
  t.is(judgeEngine(subject, made, charged, allowanceOf(100)), undefined);
  t.like(
    judgeEngine(subject, {...made, promptTokens: bound.input + 1n}, charged, allowanceOf(100)),
    {
      kind: 'engine-above-ledger',
      broken: false,
    },
  );
});

test('servers are looked at after a batch, not again too soon, and never two looks at once', async t => {
  let clock = 0;
  let looks = 0;
  let done = Promise.withResolvers<void>();
  const errors: Error[] = [];
  const ticker = createTicker({
    look: () => {
      looks += 1;
      return done.promise;
    },
    everyMs: 100,
    now: () => clock,
    onError: error => errors.push(error),
  });
  ticker.afterBatch();
  clock = 500;
  ticker.afterBatch();
  t.is(looks, 1);
  done.resolve();
  await ticker.close();
  done = Promise.withResolvers();
  ticker.afterBatch();
  t.is(looks, 2);
  done.reject(new Error('away'));
  await ticker.close();
  clock = 599;
  ticker.afterBatch();
  t.is(looks, 2);
  t.deepEqual(
    errors.map(({message}) => message),
    ['away'],
  );
});
