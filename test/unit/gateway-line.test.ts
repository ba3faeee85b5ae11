import test from 'ava';
import {SluiceError} from '../../events/errors.ts';
import type {Exchange} from '../../functions/gateway/exchange/admitted.ts';
import type {Ending} from '../../functions/gateway/exchange/facts.ts';
import {lineOf} from '../../functions/gateway/observe/line.ts';

const hostile = '"},\\{\n\u2028\ud800';
const exchange = (more: object = {}) =>
  ({
    facts: {
      request: 'r',
      principal: {org: 'o'},
      model: {name: hostile},
      endpoint: {url: hostile},
      tries: 1,
      operation: 'messages',
      streamed: false,
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    },
    caller: {client: undefined, userAgent: hostile},
    ...more,
  }) as unknown as Exchange;
const ending = {
  outcome: 'upstream_error',
  status: undefined,
  latencyMs: 3,
  timeToFirstTokenMs: undefined,
  tokens: {inputTokens: 1, cachedInputTokens: 0, outputTokens: 2},
  costNanos: 4,
  estimated: true,
} as unknown as Ending;

test('a line is JSON whatever a client calls itself, and says nothing of what is not known', t => {
  const known = {
    request: 'r',
    org: 'o',
    model: hostile,
    endpoint: hostile,
    tries: 1,
    operation: 'messages',
    streamed: false,
    outcome: 'upstream_error',
    durationMs: 3,
    userAgent: hostile,
    inputTokens: 1,
    outputTokens: 2,
    costNanos: 4,
    estimated: true,
    trace: 'a'.repeat(32),
  };
  t.deepEqual(JSON.parse(`{${lineOf(exchange(), ending, undefined)}}`), known);
  const told = {...ending, status: 502, timeToFirstTokenMs: 0};
  const error = new SluiceError('upstream_error', 'no word of it');
  t.deepEqual(JSON.parse(`{${lineOf(exchange({insteadOf: 'q'}), told, error)}}`), {
    ...known,
    insteadOf: 'q',
    status: 502,
    code: 'upstream_error',
    firstTokenMs: 0,
  });
});
