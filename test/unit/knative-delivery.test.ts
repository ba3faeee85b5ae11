import test from 'ava';
import {
  type Answer,
  backoffAfter,
  type DeliveryPolicy,
  defaultPolicy,
  judge,
  readRetryAfter,
  sourcePolicy,
} from '../../events/delivery/policy.ts';
import {readDurationMs, readPolicy} from '../../knative/local/plan/delivery.ts';

const answered = (status: number, more: Partial<Answer> = {}): Answer =>
  ({kind: 'answer', status, body: 'empty', ...more}) as Answer;

const policy: DeliveryPolicy = {...defaultPolicy, retries: 3, backoffMs: 100};

for (const status of [404, 408, 409, 429, 500, 501, 503, 599]) {
  test(`${status} is tried again while there are retries, then dead`, t => {
    t.deepEqual(judge(answered(status), 3, policy), {kind: 'retry', afterMs: 400});
    t.deepEqual(judge(answered(status), 4, policy), {
      kind: 'dead',
      reason: `the answer was ${status}`,
      status,
    });
  });
}

for (const status of [300, 301, 307, 400, 401, 402, 403, 405, 410, 413, 415, 422, 425]) {
  test(`${status} is dead at once`, t => {
    t.deepEqual(judge(answered(status), 1, policy), {
      kind: 'dead',
      reason: `the answer was ${status}`,
      status,
    });
  });
}

for (const status of [200, 201, 202, 204, 299]) {
  test(`${status} without a body is done`, t => {
    t.deepEqual(judge(answered(status), 1, policy), {kind: 'done'});
  });
}

test('a CloudEvent in a success is a reply', t => {
  const event = {specversion: '1.0' as const, id: '1', source: '/a', type: 'b'};
  t.deepEqual(judge(answered(200, {body: 'event', reply: event}), 1, policy), {
    kind: 'reply',
    event,
  });
});

test('a success with a body that is no CloudEvent is a fault, tried again as a 502', t => {
  const answer = answered(200, {body: 'other'});
  t.deepEqual(judge(answer, 1, policy), {kind: 'retry', afterMs: 100});
  t.deepEqual(judge(answer, 4, policy), {
    kind: 'dead',
    reason: 'the answer 200 has a body that is no CloudEvent',
    status: 502,
  });
});

test('no answer is tried again, and dead without a status', t => {
  const none: Answer = {kind: 'none', reason: 'no answer: ECONNREFUSED'};
  t.deepEqual(judge(none, 1, policy), {kind: 'retry', afterMs: 100});
  t.deepEqual(judge(none, 4, policy), {kind: 'dead', reason: 'no answer: ECONNREFUSED'});
});

test('a source tries for ever, never further apart than 5 s', t => {
  t.deepEqual(judge(answered(500), 1_000_000, sourcePolicy), {kind: 'retry', afterMs: 5_000});
});

test('the wait doubles when exponential, and grows from nothing when linear', t => {
  const waits = (backoff: DeliveryPolicy['backoff']) =>
    [1, 2, 3, 4].map(attempt => backoffAfter(attempt, {...policy, backoff}));
  t.deepEqual(waits('exponential'), [100, 200, 400, 800]);
  t.deepEqual(waits('linear'), [0, 100, 200, 300]);
});

test('Retry-After lengthens the wait on 429 and 503 only, up to a minute', t => {
  const after = (status: number, retryAfter: string) => {
    const verdict = judge(
      answered(status, {retryAfter}),
      1,
      policy,
      Date.parse('2026-01-01T00:00:00Z'),
    );
    return verdict.kind === 'retry' ? verdict.afterMs : undefined;
  };
  t.is(after(429, '2'), 2_000);
  t.is(after(503, 'Thu, 01 Jan 2026 00:00:05 GMT'), 5_000);
  t.is(after(500, '2'), 100);
  t.is(after(429, '0'), 100, 'never shorter than the backoff');
  t.is(after(429, '86400'), 60_000);
  t.is(readRetryAfter('soon', 0), 0);
});

test('durations are those of ISO 8601, of days and less', t => {
  const given = {
    'PT0.2S': 200,
    PT1M30S: 90_000,
    P1DT1H: 90_000_000,
    'PT0,5S': 500,
    PT2H: 7_200_000,
  };
  for (const [text, ms] of Object.entries(given)) {
    t.is(readDurationMs(text), ms);
  }
  for (const text of [
    '',
    'P',
    'PT',
    '5s',
    '0.2',
    'P1Y',
    'P1M',
    'PT1S ',
    'PT-1S',
    5,
    null,
    undefined,
  ]) {
    t.is(readDurationMs(text), undefined, String(text));
  }
});

test('a policy has the defaults of Knative', t => {
  t.like(readPolicy({}), {retries: 0, backoffMs: 0});
  t.like(readPolicy({retry: 5}), {retries: 5, backoffMs: 0}, 'without a policy there is no wait');
  t.like(readPolicy({retry: 5, backoffPolicy: 'linear', backoffDelay: 'PT1S', timeout: 'PT30S'}), {
    retries: 5,
    backoff: 'linear',
    backoffMs: 1_000,
    timeoutMs: 30_000,
  });
});

for (const [field, value] of Object.entries({
  retry: -1,
  backoffPolicy: 'random',
  backoffDelay: '1s',
  timeout: 30,
})) {
  test(`a policy whose ${field} cannot be read is refused`, t => {
    t.throws(() => readPolicy({[field]: value}), {
      name: 'DeliveryError',
      message: new RegExp(`^${field} is`),
    });
  });
}

test('a timeout of nothing is refused, as the webhook of Knative does', t => {
  t.throws(() => readPolicy({timeout: 'PT0S'}), {
    name: 'DeliveryError',
    message: 'timeout is longer than nothing',
  });
});
