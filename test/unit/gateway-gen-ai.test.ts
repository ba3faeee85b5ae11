import test from 'ava';
import {SluiceError} from '../../events/errors.ts';
import {type Attributes, noTracing} from '../../events/tracing.ts';
import type {Exchange} from '../../functions/gateway/exchange/admitted.ts';
import type {Ending} from '../../functions/gateway/exchange/facts.ts';
import {
  createMeasure,
  endingAttributes,
  requestAttributes,
} from '../../functions/gateway/observe/gen-ai.ts';
import type {OperationName} from '../../functions/gateway/surface/form.ts';
import {forms} from '../../functions/gateway/surface/routes.ts';

const exchangeOf = (url: string, operation: OperationName = 'chat.completions') =>
  ({
    operation: {form: forms[operation]},
    facts: {operation, model: {name: 'llama'}, endpoint: {url}},
    taken: {maxTokens: 64},
  }) as unknown as Exchange;
const ending = {
  outcome: 'completed',
  tokens: {inputTokens: 7, cachedInputTokens: 2, outputTokens: 5},
  costNanos: 30,
  estimated: false,
  latencyMs: 1_500,
  timeToFirstTokenMs: 250,
} as unknown as Ending;

test('a span has host and port apart, the maximum that was asked for, and cached tokens', t => {
  t.like(endingAttributes(exchangeOf('http://vllm.models:8000/base'), ending), {
    'server.address': 'vllm.models',
    'server.port': 8_000,
    'gen_ai.request.max_tokens': 64,
    'gen_ai.usage.input_tokens': 7,
    'gen_ai.usage.cache_read.input_tokens': 2,
    'gen_ai.usage.output_tokens': 5,
    'sluice.outcome': 'completed',
  });
  t.is(endingAttributes(exchangeOf('https://vllm'), ending)['server.port'], 443);
  t.is(endingAttributes(exchangeOf('http://vllm'), ending)['server.port'], 80);
});

test('every form has a name of the conventions', t => {
  t.deepEqual(
    Object.entries(forms).map(([name, {convention}]) => [
      name,
      requestAttributes(convention, 'llama')['gen_ai.operation.name'],
    ]),
    [
      ['chat.completions', 'chat'],
      ['completions', 'text_completion'],
      ['embeddings', 'embeddings'],
      ['responses', 'chat'],
      ['messages', 'chat'],
    ],
  );
});

test('duration, first token and tokens are measured, an error by its type; nothing where nobody collects', t => {
  t.is(createMeasure(noTracing), undefined);
  const measured: [string, number, Attributes][] = [];
  const measure = createMeasure({
    ...noTracing,
    histogram: (name, {boundaries}) => {
      t.true(
        boundaries.every((bound, index) => index === 0 || bound > (boundaries[index - 1] ?? 0)),
      );
      return (value, attributes) => void measured.push([name, value, attributes]);
    },
  });
  measure?.(exchangeOf('http://vllm'), ending, undefined);
  t.deepEqual(
    measured.map(([name, value, attributes]) => [name, value, attributes['gen_ai.token.type']]),
    [
      ['gen_ai.server.request.duration', 1.5, undefined],
      ['gen_ai.server.time_to_first_token', 0.25, undefined],
      ['gen_ai.client.token.usage', 7, 'input'],
      ['gen_ai.client.token.usage', 5, 'output'],
    ],
  );
  measured.length = 0;
  const failed = {...ending, timeToFirstTokenMs: undefined} as Ending;
  measure?.(exchangeOf('http://vllm', 'embeddings'), failed, new SluiceError('upstream_error', ''));
  t.deepEqual(
    measured.map(([name, , attributes]) => [name, attributes['error.type']]),
    [
      ['gen_ai.server.request.duration', 'upstream_error'],
      ['gen_ai.client.token.usage', undefined],
    ],
  );
});
