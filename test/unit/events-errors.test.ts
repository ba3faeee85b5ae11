import test, {type ExecutionContext} from 'ava';
import {
  asSluiceError,
  catalogue,
  type ErrorCode,
  SluiceError,
  toOpenAiError,
  toProblem,
  whereInJson,
} from '../../events/errors.ts';

const codes = Object.keys(catalogue) as ErrorCode[];

/** What Knative's dispatchers repeat (and what they do not), whatever we would like. */
const knativeRetries = (status: number) => [404, 408, 409, 429].includes(status) || status >= 500;

test('every code has a status of a failure and a sentence that says what it means', t => {
  for (const code of codes) {
    const {status, means} = catalogue[code];
    t.true(status >= 400 && status < 600, code);
    t.regex(means, /^[A-Z].*\.$/s, code);
  }
});

test('what we say may be retried, Knative retries', t => {
  for (const code of codes.filter(code => catalogue[code].retry)) {
    t.true(knativeRetries(catalogue[code].status), code);
  }
});

test('what an event handler refuses for good, Knative does not retry', t => {
  for (const code of ['malformed_event', 'unprocessable_event', 'unauthorized'] as const) {
    t.false(knativeRetries(new SluiceError(code, '').status), code);
  }
});

const has = (t: ExecutionContext, code: ErrorCode, status: number, type: string) => {
  const error = new SluiceError(code, 'the message', {parameter: 'n'});
  t.is(error.status, status);
  t.deepEqual(toOpenAiError(error), {
    error: {message: 'the message', type, param: 'n', code},
  });
};

test('400 for an OpenAI client', has, 'unbounded_request', 400, 'invalid_request_error');
test('401 for an OpenAI client', has, 'unauthorized', 401, 'authentication_error');
test('402 for an OpenAI client', has, 'insufficient_quota', 402, 'insufficient_quota');
test('403 for an OpenAI client', has, 'model_not_allowed', 403, 'permission_error');
test('404 for an OpenAI client', has, 'model_not_found', 404, 'invalid_request_error');
test('413 for an OpenAI client', has, 'payload_too_large', 413, 'invalid_request_error');
test('429 for an OpenAI client', has, 'budget_busy', 429, 'rate_limit_error');
test('502 for an OpenAI client', has, 'upstream_error', 502, 'server_error');
test('503 for an OpenAI client', has, 'unavailable', 503, 'server_error');
test('504 for an OpenAI client', has, 'upstream_timeout', 504, 'server_error');

test('a problem has its code, its status, what it means and what was wrong this time', t => {
  t.deepEqual(toProblem(new SluiceError('bad_request', 'name is a text'), '/x'), {
    type: 'https://docs.sluice.dev/errors#bad_request',
    title: catalogue.bad_request.means,
    status: 400,
    code: 'bad_request',
    detail: 'name is a text',
    instance: '/x',
  });
});

test('an unknown failure keeps its details to the log', t => {
  const cause = new Error('password=hunter2');
  const error = asSluiceError(cause);
  t.is(error.code, 'internal');
  t.is(error.cause, cause);
  t.false(JSON.stringify([toProblem(error), toOpenAiError(error)]).includes('hunter2'));
});

test('one of ours stays what it is', t => {
  const error = new SluiceError('conflict', 'taken');
  t.is(asSluiceError(error), error);
});

for (const text of ['my prompt', '{"a": my prompt', '{"a": "my prompt', '{"a":1} my prompt', '']) {
  test(`where ${JSON.stringify(text)} stops being JSON is told without its text`, t => {
    const error = t.throws(() => JSON.parse(text));
    t.notRegex(whereInJson(error), /my|prompt/);
  });
}

test('a problem never has more bytes than a Broker can take as an answer', t => {
  for (const message of ['short', 'x'.repeat(5_000), '"\n'.repeat(2_000), '€😀'.repeat(1_000)]) {
    const problem = toProblem(
      new SluiceError('unprocessable_event', message, {parameter: 'p'.repeat(500)}),
      `/${'i'.repeat(500)}`,
    );
    t.true(Buffer.byteLength(JSON.stringify(problem)) <= 768);
    t.true(problem.detail.isWellFormed());
    t.is(problem.detail === message, message === 'short');
  }
});

test('a database that cannot be reached is no fault of ours: 503, and worth another try', t => {
  for (const error of [
    Object.assign(new Error('refused'), {code: 'ECONNREFUSED'}),
    Object.assign(new Error('the database system is starting up'), {code: '57P03'}),
    new Error('timeout exceeded when trying to connect'),
    new Error('Connection terminated unexpectedly'),
  ]) {
    t.like(asSluiceError(error), {
      code: 'unavailable',
      status: 503,
      retryAfterSeconds: 1,
      cause: error,
    });
  }
  t.is(asSluiceError(Object.assign(new Error('no such column'), {code: '42703'})).code, 'internal');
});
