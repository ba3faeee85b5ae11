/** The first chain on a real Knative: hello → Broker → Trigger → world, its dead letters, from zero and back, and its drain. */
import test from 'ava';
import {binary} from '../dataplane/post.ts';
import {eventually} from '../helpers/eventually.ts';
import {openChain} from './chain.ts';
import {openRequest} from './request.ts';

const median = (values: readonly number[]) =>
  Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN);

const minutes = 60_000;

test.serial(
  'an event is greeted by hello, and its reply by world; what hello refuses is a dead letter',
  async t => {
    t.timeout(20 * minutes);
    const {greet, post, receiver} = await openChain(t);
    await greet('first');
    const warm: number[] = [];
    for (let n = 0; n < 20; n++) {
      warm.push((await greet(`warm ${n}`)).world);
    }
    t.log(`both answered, warm: ${median(warm)} ms, ${Math.round(Math.max(...warm))} at most`);
    t.is(receiver.at('/dead').length, 0);

    await post('nameless', {name: ''});
    const [letter] = await receiver.count('/dead', 1);
    t.like(letter?.headers, {
      'ce-id': 'nameless',
      'ce-type': 'dev.sluice.hello.requested.v1',
      'ce-source': '/test',
      'ce-knativeerrorcode': '422',
    });
    const reason = Buffer.from(String(letter?.headers['ce-knativeerrordata']), 'base64');
    t.is(JSON.parse(String(reason)).code, 'unprocessable_event');
    t.deepEqual(JSON.parse(String(letter?.body)), {name: ''});
    await greet('after the letter');
    t.is(receiver.at('/dead').length, 1);
  },
);

test.serial('both go to zero, and come back with the next event', async t => {
  t.timeout(20 * minutes);
  const {greet, pods, receiver} = await openChain(t);
  const times: {hello: number; world: number}[] = [];
  for (let round = 1; round <= 3; round++) {
    await eventually(
      async () => {
        const left = await pods();
        if (left.length > 0) {
          throw new Error(`still there: ${left.join(', ')}`);
        }
      },
      {timeoutMs: 10 * minutes, intervalMs: 500},
    );
    times.push(await greet(`round ${round}`));
  }
  const hello = median(times.map(time => time.hello));
  const world = median(times.map(time => time.world - time.hello));
  t.log(`from zero: hello answered after ${hello} ms, world ${world} ms later`);
  t.is(receiver.at('/dead').length, 0);
});

test.serial(
  'a request that runs when its pod is told to go ends whole, and no other fails',
  async t => {
    t.timeout(20 * minutes);
    // One pod of each, which nobody but this test tells to go.
    const {greet, kubectl, receiver} = await openChain(t, {minScale: 1});
    await greet('first');
    const [pod = ''] = (
      await kubectl(
        ...['get', 'pods', '-l', 'serving.knative.dev/service=hello'],
        ...['-o', 'jsonpath={.items[*].metadata.name}'],
      )
    ).split(' ');
    // Its end is the end of the process.
    const log = kubectl('logs', '--follow', pod, '-c', 'user-container');

    const body = JSON.stringify({name: 'the slow one'});
    const slow = await openRequest(t, {
      kubectl,
      service: 'hello',
      headers: {...binary('slow', {type: 'dev.sluice.hello.requested.v1'})},
      length: Buffer.byteLength(body),
    });
    slow.write(body.slice(0, 5));
    // What was sent before it has arrived.
    await greet('after half of it');
    await kubectl('delete', 'pod', pod, '--wait=false');
    for (let n = 0; n < 20; n++) {
      await greet(`meanwhile ${n}`);
    }
    slow.end(body.slice(5));
    const answer = await slow.answer;
    t.is(answer.status, 200);
    t.is(JSON.parse(answer.body).greeting, 'Hello, the slow one!');
    t.is(receiver.at('/dead').length, 0);

    const lines = await log;
    t.regex(lines, /"event":"slow"/);
    t.regex(lines, /"reason":"SIGTERM".*"draining"/);
  },
);
