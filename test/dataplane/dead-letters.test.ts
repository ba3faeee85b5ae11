/** Dead letters: what the sink of an event that nobody took is told. */
import test from 'ava';
import {openPlane, quickly} from './plane.ts';
import {binary, post} from './post.ts';

test('a dead letter is the event with what went wrong', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response) =>
      path === '/subscriber' ? response.writeHead(422).end('no such thing') : undefined,
    triggers: [{name: 'subscriber', delivery: quickly(1), deadLetterPath: '/dead'}],
  });
  await post(url, binary('1', {subject: 's', extension: 'e'}), '{"n": 1}');
  const [letter] = await receiver.count('/dead', 1);
  t.like(letter?.headers, {
    'ce-id': '1',
    'ce-type': 'test.done',
    'ce-subject': 's',
    'ce-extension': 'e',
    'ce-knativeerrordest': `${receiver.url}/subscriber`,
    'ce-knativeerrorcode': '422',
  });
  t.deepEqual(JSON.parse(letter?.body.toString() ?? ''), {n: 1});
  const data = String(letter?.headers['ce-knativeerrordata']);
  t.is(Buffer.from(data, 'base64').toString(), 'no such thing');
});

test('the sink of the Broker serves a Trigger that has none of its own', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response) =>
      path === '/subscriber' ? response.writeHead(400).end() : undefined,
    triggers: [{name: 'subscriber', deadLetterPath: '/own'}, {name: 'other'}],
  });
  await post(url, binary('1'));
  await receiver.count('/own', 1);
  await receiver.count('/other', 1);
  t.is(receiver.at('/own').length, 1);
});

test('a subscriber that is not there at all is a dead letter after its attempts', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response) => (path === '/subscriber' ? response.destroy() : undefined),
    triggers: [{name: 'subscriber', delivery: quickly(2), deadLetterPath: '/dead'}],
  });
  await post(url, binary('1'));
  const [letter] = await receiver.count('/dead', 1);
  t.is(receiver.at('/subscriber').length, 3);
  t.is(letter?.headers['ce-knativeerrordest'], `${receiver.url}/subscriber`);
});
