import test from 'ava';
import {toOpenAiError} from '../../events/errors.ts';
import {toRates} from '../../events/rates.ts';
import {duration, setLimitHeaders} from '../../functions/gateway/limits/headers.ts';
import {usesOf} from '../../functions/gateway/limits/limit.ts';
import {errorOf, setRetryHeaders} from '../../functions/gateway/limits/refusal.ts';
import {limitOf} from '../helpers/limits.ts';

const headersOf = (set: (response: {setHeader(name: string, value: string): void}) => void) => {
  const headers: Record<string, string> = {};
  set({
    setHeader(name, value) {
      headers[name] = value;
    },
  });
  return headers;
};

test('durations read as OpenAI writes them', t => {
  const written = [0, 1, 120, 999, 1_000, 8_640, 59_999, 60_000, 360_000, 3_600_000, 3_661_500];
  t.deepEqual(written.map(duration), [
    '0s',
    '1ms',
    '120ms',
    '999ms',
    '1s',
    '8.64s',
    '59.999s',
    '1m0s',
    '6m0s',
    '1h0m0s',
    '1h1m1.5s',
  ]);
});

test('of several limits OpenAI’s headers tell the one of which least is left, the standard’s all', t => {
  const limits = [
    {...limitOf('requests', 600, 'a'), scope: 'organisation' as const},
    limitOf('requests', 60, 'b'),
    limitOf('tokens', 10_000, 'c'),
    limitOf('parallel', 4, 'd'),
  ];
  const remaining: Record<string, number> = {a: 20, b: 59, c: 10_000, d: 3};
  const headers = headersOf(response =>
    setLimitHeaders(response, limits, limit => ({
      limit,
      remaining: remaining[limit.id] ?? 0,
      resetMs: limit.id === 'c' ? 0 : 1_500,
    })),
  );
  t.deepEqual(headers, {
    'x-ratelimit-limit-requests': '600',
    'x-ratelimit-remaining-requests': '20',
    'x-ratelimit-reset-requests': '1.5s',
    'x-ratelimit-limit-tokens': '10000',
    'x-ratelimit-remaining-tokens': '10000',
    'x-ratelimit-reset-tokens': '0s',
    'ratelimit-policy':
      '"organisation-requests";q=600;w=60, "key-requests";q=60;w=60, "key-tokens";q=10000;w=60, "key-parallel";q=4;qu="concurrent-requests"',
    ratelimit:
      '"organisation-requests";r=20;t=2, "key-requests";r=59;t=2, "key-tokens";r=10000;t=0, "key-parallel";r=3',
  });
});

test('without limits there are no headers', t => {
  t.deepEqual(
    headersOf(response =>
      setLimitHeaders(response, [], limit => ({limit, remaining: 0, resetMs: 0})),
    ),
    {},
  );
});

test('a refusal has OpenAI’s code and type, and says when to come again', t => {
  for (const [unit, type] of [
    ['requests', 'requests'],
    ['tokens', 'tokens'],
    ['parallel', 'requests'],
  ] as const) {
    const refused = {limit: limitOf(unit, 60), amount: 7, retryAfterMs: 1_200};
    const error = errorOf(refused);
    t.is(error.status, 429);
    t.is(error.retryAfterSeconds, 2);
    t.like(toOpenAiError(error).error, {code: 'rate_limit_exceeded', type, param: null});
    t.deepEqual(
      headersOf(response => setRetryHeaders(response, refused)),
      {'retry-after-ms': '1200'},
    );
  }
});

test('who asks for more than the whole limit is told not to come again', t => {
  const refused = {limit: limitOf('tokens', 60), amount: 61, retryAfterMs: undefined};
  t.is(errorOf(refused).retryAfterSeconds, undefined);
  t.deepEqual(
    headersOf(response => setRetryHeaders(response, refused)),
    {'x-should-retry': 'false'},
  );
});

test('a request takes one of requests, its bound of tokens, and nothing where it can use none', t => {
  const limits = [limitOf('requests', 9), limitOf('tokens', 9), limitOf('parallel', 9)];
  t.deepEqual(
    usesOf(limits, 5).map(({amount}) => amount),
    [1, 5, 1],
  );
  t.deepEqual(
    usesOf(limits, 0).map(({limit}) => limit.unit),
    ['requests', 'parallel'],
  );
});

test('what a row does not limit is not limited', t => {
  const none = {requests_per_minute: null, tokens_per_minute: null, parallel_requests: null};
  t.is(toRates(none), undefined);
  t.deepEqual(toRates({...none, parallel_requests: 3}), {parallel: 3});
});
