/**
The data plane of the local runner, where a real Knative's is another: what `test/dataplane/` cannot ask of both. Most of it is its
drain: it is told to stop while deliveries run, and started again.

With an in-memory channel, the only one that Knative's own Broker has without Kafka, events that wait are lost
with the process of the channel: there is nothing to hold it to. Manifests that need more use logs (`events/source`).
*/
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {manifestsOf, openPlane, quickly} from '../dataplane/plane.ts';
import {binary, post} from '../dataplane/post.ts';
import {type Respond, startReceiver} from '../dataplane/receiver.ts';
import {eventually} from '../helpers/eventually.ts';

/** A subscriber that answers when it is let go, and another one beside it. */
const openSlow = async (t: ExecutionContext, {drainMs}: {drainMs?: number} = {}) => {
  const hold = Promise.withResolvers<void>();
  t.teardown(hold.resolve);
  const respond: Respond = ({path}) => (path === '/slow' ? hold.promise : undefined);
  const {openRunner} = await import('../dataplane/runner.ts');
  const runner = await openRunner(t, {...(drainMs === undefined ? {} : {drainMs})});
  const receiver = await startReceiver(t, {host: runner.host, respond});
  const triggers = [
    {name: 'slow', delivery: quickly(3), deadLetterPath: '/dead'},
    {name: 'quick', delivery: quickly(3), deadLetterPath: '/dead'},
  ];
  const url = await runner.apply(manifestsOf({triggers}, runner.namespace, receiver.url));
  return {runner, receiver, url, letGo: hold.resolve};
};

test('a delivery that runs at the stop ends, and is not repeated after the next start', async t => {
  const {runner, receiver, url, letGo} = await openSlow(t);
  await post(url, binary('1'));
  await receiver.count('/slow', 1);
  let stopped = false;
  const stopping = runner.stop().then(() => {
    stopped = true;
  });
  await receiver.count('/quick', 1);
  t.false(stopped, 'it waits for the delivery');
  letGo();
  await stopping;
  await runner.startAgain();
  await post(url, binary('2'));
  await receiver.count('/slow', 2);
  t.deepEqual(
    receiver.at('/slow').map(({id}) => id),
    ['1', '2'],
  );
  t.is(receiver.at('/dead').length, 0);
});

test('a delivery that the stop cuts off is repeated after the next start', async t => {
  const {runner, receiver, url, letGo} = await openSlow(t, {drainMs: 100});
  await post(url, binary('1'));
  await receiver.count('/slow', 1);
  await runner.stop();
  letGo();
  await runner.startAgain();
  await receiver.count('/slow', 2);
  t.deepEqual(
    receiver.at('/slow').map(({id}) => id),
    ['1', '1'],
  );
  t.is(receiver.at('/dead').length, 0);
});

test('what was accepted before a stop in full flight is delivered after it', async t => {
  const {runner, receiver, url, letGo} = await openSlow(t, {drainMs: 100});
  const ids = Array.from({length: 50}, (_, n) => `e${n}`);
  await Promise.all(ids.map(id => post(url, binary(id))));
  await runner.stop();
  letGo();
  await runner.startAgain();
  await eventually(
    () => {
      for (const path of ['/slow', '/quick']) {
        assert.deepEqual(new Set(receiver.at(path).map(({id}) => id)), new Set(ids));
      }
    },
    {timeoutMs: 30_000},
  );
  t.is(receiver.at('/dead').length, 0);
});

// On Knative Eventing 0.47.0 an answer of more than 768 bytes ends the process of the in-memory channel, with all it holds:
// this test would take a cluster's other events with it. `events/errors.ts` keeps our own answers below that.
test('a long answer is cut in the letter', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response) =>
      path === '/subscriber' ? response.writeHead(400).end('x'.repeat(100_000)) : undefined,
    triggers: [{name: 'subscriber', delivery: quickly(0), deadLetterPath: '/dead'}],
  });
  await post(url, binary('1'));
  const [letter] = await receiver.count('/dead', 1);
  t.true(String(letter?.headers['ce-knativeerrordata']).length <= 1_400);
});

// Knative's own ingress takes bodies of any size.
test('an event that is too large is told so', async t => {
  const {url, receiver} = await openPlane(t, {triggers: [{name: 'all'}]});
  const {status} = await post(url, binary('1'), Buffer.alloc(11 * 1024 * 1024, 'x'));
  t.is(status, 413);
  await post(url, binary('after'));
  await receiver.count('/all', 1);
  t.deepEqual(
    receiver.all().map(({id}) => id),
    ['after'],
  );
});
