/** Every function goes to zero, and the next thing that it is there for brings it back, with all that it has to do. */
import assert from 'node:assert/strict';
import {hash, randomUUID} from 'node:crypto';
import test from 'ava';
import {binary, post} from '../dataplane/post.ts';
import {eventually} from '../helpers/eventually.ts';
import type {Installation} from '../helpers/installation.ts';
import {brokerUrl} from './eventing.ts';
import {openWorld, type World} from './world.ts';

const minutes = 60_000;
const fromZero = {timeoutMs: 5 * minutes, intervalMs: 250};

type Woken = Readonly<{
  /** Functions that have to be at zero before, and have a pod after it. */
  functions: readonly string[];
  wake(world: World, broker: string): Promise<void>;
}>;

const requested = 'dev.sluice.hello.requested.v1';

const rowsOf = async (
  {pool}: Installation,
  statement: string,
  values: readonly unknown[],
): Promise<Record<string, unknown>[]> =>
  (await pool('superuser').query(statement, [...values])).rows;

/** A line of its log that names the event: it has answered it. */
const handled = ({kubectl}: Installation, service: string, event: string) =>
  eventually(async () => {
    const log = await kubectl(
      ...['logs', '-l', `serving.knative.dev/service=${service}`],
      ...['-c', 'user-container', '--tail=-1'],
    );
    const line = log.split('\n').find(text => text.includes(`"event":"${event}"`));
    assert.ok(line, `${service} has not handled ${event}`);
    return JSON.parse(line) as {status: number};
  }, fromZero);

const untilWoken = ({pods}: Installation, service: string) =>
  eventually(
    async () => assert.ok((await pods(service)).length > 0, `${service} sleeps`),
    fromZero,
  );

/** As hello makes it of the request's. */
const replyId = (source: string, id: string) =>
  hash('sha256', JSON.stringify([source, id])).slice(0, 32);

const take = async (url: string, headers: Record<string, string>, body: string) => {
  const {status} = await post(url, headers, body);
  assert.ok(status >= 200 && status < 300, `the Broker answered ${status}`);
};

/** In this order: what one wakes beside its own is no part of a later one. */
const wakings: Readonly<Record<string, Woken>> = {
  'a request wakes the gateway, and what it cost wakes, through Kafka, those that book it': {
    functions: ['gateway', 'budget', 'usage'],
    async wake({ask, books}) {
      const stream = await ask({maxTokens: 5, timeoutMs: 5 * minutes});
      assert.equal(stream.status, 200, stream.text());
      assert.equal(await stream.ended, 'whole');
      const {ledger} = await books([stream]);
      assert.deepEqual(
        ledger.map(({outputTokens}) => outputTokens),
        [5],
      );
    },
  },
  'a request to be greeted wakes hello, and its reply world': {
    functions: ['hello', 'world'],
    async wake({installation}, broker) {
      const id = randomUUID();
      await take(broker, binary(id, {type: requested}), '{"name":"Asleep"}');
      assert.equal((await handled(installation, 'hello', id)).status, 200);
      assert.equal((await handled(installation, 'world', replyId('/test', id))).status, 200);
    },
  },
  'an event that is refused wakes deadletter': {
    functions: ['deadletter'],
    async wake({installation}, broker) {
      const id = randomUUID();
      await take(broker, binary(id, {type: requested}), '{"name":""}');
      await eventually(async () => {
        const rows = await rowsOf(
          installation,
          'select reason from dead_letters where event_id = $1',
          [id],
        );
        assert.equal(rows.length, 1);
      }, fromZero);
    },
  },
  'a suspected endpoint wakes the registry': {
    functions: ['registry'],
    async wake({installation, model}, broker) {
      const probedAt = async () =>
        (
          await rowsOf(installation, 'select health_at from endpoints where id = $1', [
            model.endpoint,
          ])
        )[0]?.health_at;
      const before = await probedAt();
      const data = {model: model.id, endpoint: model.endpoint, reason: 'looks asleep'};
      await take(
        broker,
        binary(randomUUID(), {type: 'dev.sluice.endpoint.suspected.v1'}),
        JSON.stringify(data),
      );
      await eventually(async () => assert.notDeepEqual(await probedAt(), before), fromZero);
    },
  },
  'a proxy that asks whether a key may pass wakes auth': {
    functions: ['auth'],
    async wake({installation: {fetch, urlOf}, tenant}) {
      const verify = async (key: string) =>
        (
          await fetch(urlOf('/verify'), {
            headers: {authorization: `Bearer ${key}`, 'x-original-method': 'GET'},
          })
        ).status;
      assert.equal(await verify(tenant.apiKey), 200);
      assert.equal(await verify(`${tenant.apiKey.slice(0, -4)}AAAA`), 401);
    },
  },
  'an operator wakes admin': {
    functions: ['admin'],
    async wake({installation}) {
      const {id} = await installation.admin.post<{id: string}>('/orgs', {name: 'Woken'});
      const rows = await rowsOf(installation, 'select name from orgs where id = $1', [id]);
      assert.deepEqual(rows, [{name: 'Woken'}]);
    },
  },
  'a producer wakes the ingress of events': {
    functions: ['events-ingress'],
    async wake({installation, tenant}) {
      const id = randomUUID();
      const answer = await installation.fetch(installation.urlOf('/events'), {
        method: 'POST',
        headers: {
          ...binary(id, {type: requested, source: '/shop'}),
          authorization: `Bearer ${tenant.apiKey}`,
        },
        body: '{"name":"Shop"}',
      });
      assert.equal(answer.status, 202, await answer.text());
      // On through the outbox, its source and the Broker.
      assert.equal((await handled(installation, 'hello', id)).status, 200);
    },
  },
};

test.serial('every function goes to zero and wakes with what it is there for', async t => {
  t.timeout(20 * minutes);
  const world = await openWorld(t);
  const {installation} = world;
  // A function that nobody is named for here would be found by nobody.
  t.deepEqual(
    Object.values(wakings)
      .flatMap(({functions}) => functions)
      .sort(),
    Object.keys(installation.services).sort(),
  );
  const broker = await brokerUrl(installation);
  // All at once: what is settled late wakes those that were gone already.
  await eventually(async () => assert.deepEqual(await installation.pods(), []), {
    timeoutMs: 10 * minutes,
    intervalMs: 500,
  });
  for (const [title, {functions, wake}] of Object.entries(wakings)) {
    // They are, but for what a clock has woken since.
    await Promise.all(functions.map(name => installation.untilZero(name)));
    const begun = performance.now();
    // Looked for meanwhile: the first may be gone again before the last has done its part.
    const woken = functions.map(name => untilWoken(installation, name));
    await t.notThrowsAsync(Promise.all([wake(world, broker), ...woken]), title);
    t.log(`${title}: ${Math.round(performance.now() - begun)} ms`);
  }
});
