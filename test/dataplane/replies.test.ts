/** Replies: an answer that is an event goes back to the Broker, to every Trigger that wants it, and not without end. */
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {openPlane, quickly} from './plane.ts';
import {binary, post} from './post.ts';
import type {Respond} from './receiver.ts';

const replyTo =
  (path: string, type: string): Respond =>
  (received, response) => {
    if (received.path === path) {
      response
        .writeHead(200, binary(`reply to ${received.id}`, {type, 'content-type': 'text/plain'}))
        .end('the reply');
    }
  };

test('a reply is delivered to every Trigger that wants it', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: replyTo('/asked', 'test.answered'),
    triggers: [
      {name: 'asked', filter: {attributes: {type: 'test.asked'}}},
      {name: 'answered', filter: {attributes: {type: 'test.answered'}}},
      {name: 'everything'},
    ],
  });
  await post(url, binary('1', {type: 'test.asked'}));
  const [answered] = await receiver.count('/answered', 1);
  t.is(answered?.headers['ce-type'], 'test.answered');
  // One kind of Broker codes the spaces of an attribute, as the binding wants; the other does not.
  t.is(decodeURIComponent(answered?.id ?? ''), 'reply to 1');
  t.is(answered?.body.toString(), 'the reply');
  await receiver.count('/everything', 2);
  t.is(receiver.at('/asked').length, 1);
});

test('a reply in structured mode is a reply too', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response) => {
      if (path === '/asked') {
        response.writeHead(200, {'content-type': 'application/cloudevents+json'}).end(
          JSON.stringify({
            specversion: '1.0',
            id: 'reply',
            source: '/test',
            type: 'test.answered',
            data: {n: 1},
          }),
        );
      }
    },
    triggers: [
      {name: 'asked', filter: {attributes: {type: 'test.asked'}}},
      {name: 'answered', filter: {attributes: {type: 'test.answered'}}},
    ],
  });
  await post(url, binary('1', {type: 'test.asked'}));
  const [answered] = await receiver.count('/answered', 1);
  t.deepEqual(JSON.parse(answered?.body.toString() ?? ''), {n: 1});
});

test('an event with as many hops behind it as it may have is refused', async t => {
  const {url, receiver} = await openPlane(t, {triggers: [{name: 'all'}]});
  for (const left of ['0', '1']) {
    const {status} = await post(url, binary(left, {knativebrokerttl: left}));
    t.true(status >= 400 && status < 500, `${left}: ${status}`);
  }
  await post(url, binary('2', {knativebrokerttl: '2'}));
  await receiver.count('/all', 1);
  t.deepEqual(
    receiver.all().map(({id}) => id),
    ['2'],
  );
});

test('events that answer each other without end come to an end', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: (received, response) => {
      if (received.path === '/loop') {
        response.writeHead(200, binary(`${received.id}+`, {type: 'test.loop'})).end('{}');
      }
    },
    // Without retries: a reply that the Broker refuses is a failed delivery, and each level would double the next.
    triggers: [{name: 'loop', filter: {attributes: {type: 'test.loop'}}, delivery: quickly(0)}],
  });
  await post(url, binary('1', {type: 'test.loop', knativebrokerttl: '6'}));
  let last = 0;
  await eventually(
    async () => {
      const count = receiver.at('/loop').length;
      const grew = count !== last;
      last = count;
      if (grew || count < 3) {
        throw new Error('still going');
      }
    },
    {timeoutMs: 50_000, intervalMs: 1_500},
  );
  t.true(receiver.at('/loop').length <= 7, String(receiver.at('/loop').length));
});

test('an answer of a dead letter sink is delivered to nobody', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: (received, response) => {
      if (received.path === '/subscriber') {
        response.writeHead(400).end();
      }
    },
    triggers: [
      {
        name: 'subscriber',
        filter: {attributes: {type: 'test.asked'}},
        delivery: quickly(0),
        deadLetterPath: '/dead',
      },
    ],
  });
  await post(url, binary('1', {type: 'test.asked'}));
  await receiver.count('/dead', 1);
  t.is(receiver.at('/subscriber').length, 1);
});
