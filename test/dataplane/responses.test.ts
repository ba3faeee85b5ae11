/** What an answer of a subscriber does: each status with each kind of body, and when the next attempt comes. */
import test, {type ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {openPlane, quickly} from './plane.ts';
import {binary, post} from './post.ts';
import type {Respond} from './receiver.ts';

type Body = 'empty' | 'event' | 'junk';
type Fate = 'done' | 'retried' | 'dead at once';

const retried = [404, 408, 409, 429, 500, 502, 503, 504];
// A redirect with a Location is followed by one kind of Broker and not by the other, so no manifest may rely on either.
const refused = [300, 304, 400, 401, 402, 403, 405, 413, 415, 422];

/** The rule that both kinds of Broker share. */
const fateOf = (status: number, body: Body): Fate | undefined => {
  if (status >= 200 && status < 300) {
    // A body that is no event: one retries it, the other does not; both call it failed.
    return body === 'junk' ? undefined : 'done';
  }
  return retried.includes(status) ? 'retried' : 'dead at once';
};

const answerAs: Respond = ({id, path}, response) => {
  if (path !== '/subscriber') {
    return;
  }
  const [status, body] = id.split('-') as [string, Body];
  const headers: Record<string, string> =
    body === 'event'
      ? binary(`reply to ${id}`, {type: 'test.replied'})
      : body === 'junk'
        ? {'content-type': 'text/plain'}
        : {};
  response.writeHead(Number(status), headers);
  // These statuses have no body.
  response.end(
    ['204', '304'].includes(status) || body === 'empty' ? '' : body === 'event' ? '{}' : 'OK',
  );
};

const statuses = [200, 201, 202, 204, ...refused, ...retried];

test('each status with each kind of body is done, tried again or dead as Knative has it', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: answerAs,
    triggers: [
      {
        name: 'subscriber',
        filters: [{exact: {type: 'test.done'}}],
        delivery: quickly(2),
        deadLetterPath: '/dead',
      },
    ],
  });
  const cases = statuses.flatMap(status =>
    (['empty', 'event', 'junk'] as const)
      .filter(body => !(body === 'junk' && status === 204))
      .map(body => ({id: `${status}-${body}`, fate: fateOf(status, body)})),
  );
  await Promise.all(cases.map(({id}) => post(url, binary(id))));
  const dead = cases.filter(({fate}) => fate !== 'done');
  await receiver.count('/dead', dead.length);
  const counts = (path: string, id: string) =>
    receiver.at(path).filter(one => one.id === id).length;
  await eventually(() => {
    const missing = cases.filter(({id}) => counts('/subscriber', id) === 0);
    if (missing.length > 0) {
      throw new Error(`${missing.length} have not come`);
    }
  });
  for (const {id, fate} of cases) {
    const attempts = counts('/subscriber', id);
    const letters = counts('/dead', id);
    if (fate === undefined) {
      t.true(attempts >= 1 && letters === 1, `${id}: a 2xx without an event is a failure`);
    } else {
      t.is(attempts, fate === 'retried' ? 3 : 1, `${id}: attempts`);
      t.is(letters, fate === 'done' ? 0 : 1, `${id}: dead letters`);
    }
  }
});

test('a subscriber that hangs up is tried again', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response, nth) => {
      if (path === '/subscriber' && nth < 3) {
        response.destroy();
      }
    },
    triggers: [{name: 'subscriber', delivery: quickly(3)}],
  });
  await post(url, binary('1'));
  await receiver.count('/subscriber', 3);
  t.pass();
});

test('a subscriber that is slower than delivery.timeout is tried again', async t => {
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response, nth) =>
      path === '/subscriber' && nth === 1
        ? new Promise(resolve => response.once('close', resolve))
        : undefined,
    triggers: [{name: 'subscriber', delivery: {...quickly(2), timeout: 'PT1S'}}],
  });
  // Not from the arrival of the first attempt: the sender's clock runs from before it.
  const started = performance.now();
  const posting = post(url, binary('1'));
  const [, second] = await receiver.count('/subscriber', 2);
  const waited = (second?.at ?? 0) - started;
  t.true(waited >= 990, `tried again after ${waited} ms`);
  await posting;
});

const waitsOf = async (t: ExecutionContext, backoffPolicy: 'exponential' | 'linear') => {
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response) =>
      path === '/subscriber' ? response.writeHead(503).end() : undefined,
    triggers: [
      {
        name: 'subscriber',
        delivery: {retry: 3, backoffPolicy, backoffDelay: 'PT0.4S', timeout: 'PT30S'},
        deadLetterPath: '/dead',
      },
    ],
  });
  await post(url, binary('1'));
  await receiver.count('/dead', 1);
  const times = receiver.at('/subscriber').map(({at}) => at);
  return times.slice(1).map((at, index) => at - (times[index] as number));
};

// The first retry of the linear policy is at once with one kind of Broker and after one delay with the other.
for (const [policy, least] of [
  ['exponential', [400, 800, 1_600]],
  ['linear', [0, 400, 800]],
] as const) {
  test(`the waits between attempts grow by the ${policy} policy`, async t => {
    const waits = await waitsOf(t, policy);
    t.is(waits.length, 3);
    for (const [index, wait] of waits.entries()) {
      t.true(wait >= (least[index] as number) - 20, `wait ${index + 1} was ${wait} ms`);
    }
  });
}

test('a slow subscriber holds up no other', async t => {
  const hold = Promise.withResolvers<void>();
  t.teardown(hold.resolve);
  const {url, receiver, kind} = await openPlane(t, {
    respond: ({path}) => (path === '/slow' ? hold.promise : undefined),
    triggers: [{name: 'slow'}, {name: 'quick'}],
  });
  // The in-memory channel answers a publisher when its subscribers have: a publisher must not wait for it.
  const posts = ['1', '2', '3'].map(id => post(url, binary(id)));
  await receiver.count('/quick', 3);
  await receiver.count('/slow', 1);
  hold.resolve();
  await Promise.all(posts);
  t.truthy(kind);
});

test('two Triggers with one subscriber are two deliveries', async t => {
  const {url, receiver} = await openPlane(t, {
    triggers: [
      {name: 'one', path: '/same'},
      {name: 'two', path: '/same'},
    ],
  });
  await post(url, binary('1'));
  await receiver.count('/same', 2);
  await post(url, binary('2'));
  await receiver.count('/same', 4);
  t.is(receiver.all().length, 4);
});

test('a delivery asks for a reply and names the namespace, and is in binary mode', async t => {
  const {url, receiver} = await openPlane(t, {triggers: [{name: 'all'}]});
  await post(url, binary('1'));
  const [received] = await receiver.count('/all', 1);
  t.is(received?.headers.prefer, 'reply');
  t.truthy(received?.headers['kn-namespace']);
  t.is(received?.headers['ce-id'], '1');
});

test('nothing that was accepted is lost while a subscriber is away for a while', async t => {
  let away = true;
  const {url, receiver} = await openPlane(t, {
    respond: ({path}, response) =>
      path === '/subscriber' && away ? response.writeHead(503).end() : undefined,
    triggers: [
      {
        name: 'subscriber',
        delivery: {retry: 8, backoffPolicy: 'linear', backoffDelay: 'PT0.3S', timeout: 'PT30S'},
        deadLetterPath: '/dead',
      },
    ],
  });
  const ids = Array.from({length: 20}, (_, index) => `e${index}`);
  await Promise.all(ids.map(id => post(url, binary(id))));
  await receiver.count('/subscriber', 30);
  away = false;
  const since = receiver.at('/subscriber').length;
  await eventually(
    () => {
      const after = new Set(
        receiver
          .at('/subscriber')
          .slice(since)
          .map(({id}) => id),
      );
      const dead = new Set(receiver.at('/dead').map(({id}) => id));
      const missing = ids.filter(id => !after.has(id) && !dead.has(id));
      if (missing.length > 0) {
        throw new Error(`${missing.length} are missing`);
      }
    },
    {timeoutMs: 30_000},
  );
  t.pass();
});
