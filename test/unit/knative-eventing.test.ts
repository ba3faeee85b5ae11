/**
Small rules of the data plane that need no database: ascending ids, batches by bytes, dead letter sinks, what cannot be sent.
*/
import type {IncomingHttpHeaders} from 'node:http';
import test from 'ava';
import {Agent} from 'undici';
import {messageOf} from '../../events/brokers/broker.ts';
import {createAscendingIds} from '../../events/brokers/postgres/ids.ts';
import {toJson} from '../../events/codec.ts';
import {splitByBytes} from '../../events/delivery/deliver-batch.ts';
import {defaultPolicy} from '../../events/delivery/policy.ts';
import {createPost} from '../../events/delivery/post.ts';
import type {Event} from '../../events/event.ts';
import {createLogger} from '../../events/telemetry.ts';
import {isUuid} from '../../events/uuid.ts';
import {deliverToTrigger} from '../../knative/local/eventing/deliver-to-trigger.ts';
import {createTargets} from '../../knative/local/eventing/targets.ts';
import type {SubscriptionPlan} from '../../knative/local/plan/plan.ts';
import {enterAt} from '../helpers/gates.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const event = (more: object = {}): Event => ({
  specversion: '1.0',
  id: '1',
  source: '/a',
  type: 'b',
  ...more,
});
const message = (one: Event, attempt = 1) =>
  messageOf({id: one.id, subscription: 's', attempt, json: toJson(one)});

test('ids ascend in one millisecond, when the clock steps back, and after those of an earlier process', t => {
  let time = 1_000_000;
  const ids = createAscendingIds({now: () => time});
  const made = Array.from({length: 40_000}, () => ids.next());
  time = 10;
  made.push(ids.next());
  ids.startAfter('00000fffffff-0000-7000-8000-000000000000'.replace(/^(.{8})(.{4})/, '$1-$2'));
  made.push(ids.next());
  time = 999_999_999_999;
  made.push(ids.next());
  t.true(made.every(isUuid));
  t.deepEqual(made, [...made].sort());
  t.is(new Set(made).size, made.length);
});

test('a batch has no more bytes than it may, but always one event', t => {
  const messages = [10, 400, 10, 10, 300].map((size, index) =>
    message(event({id: String(index), data: 'x'.repeat(size)})),
  );
  const parts = splitByBytes(messages, 250).map(part => part.map(({id}) => id));
  t.deepEqual(parts, [['0'], ['1'], ['2', '3'], ['4']]);
  t.deepEqual(splitByBytes([], 250), []);
});

const policy = {...defaultPolicy, retries: 1};

const deliverer = (url: string, more: Partial<SubscriptionPlan> = {}) => {
  const dispatcher = new Agent();
  const onBatch = deliverToTrigger({
    subscription: {
      name: 'trigger/default/x',
      kind: 'trigger',
      namespace: 'default',
      origin: 'broker:default',
      filter: {dialect: 'all', filters: []},
      sink: {function: 'one', path: '/sink'},
      policy,
      batchMax: 1,
      concurrency: 1,
      token: false,
      ...more,
    },
    targetOf: createTargets({
      enter: enterAt(name => (name === 'one' ? url : undefined)),
      post: createPost(dispatcher),
      brokersUrl: 'http://127.0.0.1:1',
    }),
    logger: createLogger({name: 'test', level: 'silent'}),
  });
  return {onBatch, close: () => dispatcher.destroy()};
};

test('a dead event goes to the dead letter sink with what went wrong', async t => {
  const received: {path: string | undefined; headers: IncomingHttpHeaders}[] = [];
  const server = await createHttpTestServer(t, (request, response) => {
    received.push({path: request.url, headers: request.headers});
    response
      .writeHead(request.url === '/dead' ? 202 : 422)
      .end(request.url === '/dead' ? '' : 'no such thing');
  });
  const {onBatch, close} = deliverer(server.url, {
    deadLetterSink: {function: 'one', path: '/dead'},
  });
  t.teardown(close);
  t.deepEqual(await onBatch([message(event())]), [{kind: 'done'}]);
  t.deepEqual(
    received.map(({path}) => path),
    ['/sink', '/dead'],
  );
  t.like(received[1]?.headers, {
    'ce-id': '1',
    'ce-knativeerrordest': `${server.url}/sink`,
    'ce-knativeerrorcode': '422',
    'ce-knativeerrordata': Buffer.from('no such thing').toString('base64'),
  });
});

test('an event that the dead letter sink does not take is kept', async t => {
  const server = await createHttpTestServer(
    t,
    (_request, response) => void response.writeHead(500).end(),
  );
  const {onBatch, close} = deliverer(server.url, {
    deadLetterSink: {function: 'one', path: '/dead'},
  });
  t.teardown(close);
  t.deepEqual(await onBatch([message(event(), 2)]), [
    {kind: 'dead', reason: 'the answer was 500', status: 500, destination: 'one/sink'},
  ]);
});

test('a subscriber that does not answer in time is tried again', async t => {
  const server = await createHttpTestServer(t, () => {});
  const {onBatch, close} = deliverer(server.url, {policy: {...policy, timeoutMs: 200}});
  t.teardown(close);
  t.deepEqual(await onBatch([message(event())]), [{kind: 'retry', afterMs: 200}]);
  const [outcome] = await onBatch([message(event(), 2)]);
  // A part of the time went to the gate.
  t.regex((outcome as {reason: string}).reason, /^no answer within \d+ ms$/);
});

test('a function that is away costs its events no attempt', async t => {
  const {onBatch, close} = deliverer('', {sink: {function: 'another', path: '/'}});
  t.teardown(close);
  t.deepEqual(await onBatch([message(event(), 2)]), [
    {kind: 'retry', afterMs: 500, counted: false},
  ]);
});

test('a success with another body than a CloudEvent is a failure', async t => {
  const server = await createHttpTestServer(t, (_request, response) => {
    response.writeHead(200, {'content-type': 'application/json'}).end('{"ok":true}');
  });
  const {onBatch, close} = deliverer(server.url);
  t.teardown(close);
  t.like(await onBatch([message(event(), 2)]), [{kind: 'dead', status: 502}]);
});

test('an event that cannot be written as a request is dead, not tried for ever', async t => {
  const {onBatch, close} = deliverer('http://127.0.0.1:9');
  t.teardown(close);
  t.like(await onBatch([message(event({subject: 'half \ud800'}))]), [
    {kind: 'dead', destination: 'one/sink'},
  ]);
});
