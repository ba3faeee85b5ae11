/** What nobody takes, through a real Broker: tried as often as is said, kept with its reason, and sent again by who may. */
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {stringify} from 'yaml';
import {binary, post} from '../dataplane/post.ts';
import {eventually} from '../helpers/eventually.ts';
import {type Installation, openInstallation} from '../helpers/installation.ts';
import {listen} from './eventing.ts';
import {awayService} from './manifests.ts';

const minutes = 60_000;
const patience = {timeoutMs: 5 * minutes, intervalMs: 500};

type Letter = Readonly<{
  id: string;
  state: string;
  subscription: string;
  destination: string;
  origin?: string;
  proved: boolean;
  eventId: string;
  reason: string;
  status?: number;
}>;
type Whole = Letter & Readonly<{errorData?: string; event: {data: unknown}}>;

const typeOf = (t: ExecutionContext) =>
  `dev.test.${t.title.replace(/[^a-z]+/gi, '').toLowerCase()}.v1`;

/** Waits for so many of a type, newest first. */
const lettersOf = ({admin}: Installation, type: string, count = 1): Promise<Letter[]> =>
  eventually(async () => {
    const {data} = await admin.get<{data: Letter[]}>(`/dead-letters?type=${type}`);
    assert.equal(data.length, count, `letters of ${type}`);
    return data;
  }, patience);

/** As the manifests say it: the function, and which Trigger it is about. */
const deadLetterSink = (trigger?: string) => ({
  ref: {apiVersion: 'serving.knative.dev/v1', kind: 'Service', name: 'deadletter'},
  uri: trigger === undefined ? '/' : `/?trigger=${trigger}`,
});

const tries = (retry: number, timeout: string, trigger?: string) => ({
  retry,
  backoffPolicy: 'exponential',
  backoffDelay: 'PT0.2S',
  timeout,
  ...(trigger === undefined ? {} : {deadLetterSink: deadLetterSink(trigger)}),
});

test.serial('what a function refuses is kept with the reason, and redriven it arrives', async t => {
  t.timeout(20 * minutes);
  const installation = openInstallation(t);
  const {admin, namespace} = installation;
  const type = typeOf(t);
  let isWilling = false;
  const {receiver, name, url} = await listen(t, installation, {
    types: [type],
    delivery: trigger => tries(2, 'PT30S', trigger),
    respond: (_received, response) => {
      if (!isWilling) {
        response.writeHead(422, {'content-type': 'text/plain'}).end('not today');
      }
    },
  });
  await post(url, binary('refused', {type}), '{"n":1}');
  const [letter] = await lettersOf(installation, type);
  t.like(letter, {
    state: 'waiting',
    subscription: `trigger/${namespace}/${name}`,
    destination: `${receiver.url}/${name}`,
    origin: 'broker:default',
    proved: false,
    eventId: 'refused',
    reason: 'the answer was 422',
    status: 422,
  });
  const whole = await admin.get<Whole>(`/dead-letters/${letter?.id}`);
  t.is(whole.errorData, 'not today');
  t.deepEqual(whole.event.data, {n: 1});
  // A refusal is final: it was asked once.
  t.is(receiver.at(`/${name}`).length, 1);

  isWilling = true;
  await admin.post(`/dead-letters/${letter?.id}/redrive`);
  const [, again] = await receiver.count(`/${name}`, 2);
  t.like(again?.headers, {'ce-id': 'refused', 'ce-source': '/test', 'ce-redriven': letter?.id});
  t.deepEqual(JSON.parse(String(again?.body)), {n: 1});
  t.deepEqual(
    (await lettersOf(installation, type)).map(({state}) => state),
    ['redriven'],
  );
});

test.serial(
  'what is never taken is tried as often as is said; then the Broker keeps it',
  async t => {
    t.timeout(20 * minutes);
    const installation = openInstallation(t);
    const type = typeOf(t);
    const {receiver, name, url} = await listen(t, installation, {
      types: [type],
      // Without a sink of its own: the Broker's.
      delivery: () => tries(2, 'PT30S'),
      respond: (_received, response) => response.writeHead(503).end('busy'),
    });
    await post(url, binary('busy', {type}), '{}');
    const [letter] = await lettersOf(installation, type);
    t.like(letter, {
      // The Broker's sink is told no Trigger's name.
      subscription: `${receiver.url}/${name}`,
      origin: 'broker:default',
      eventId: 'busy',
      status: 503,
    });
    t.is(receiver.at(`/${name}`).length, 3);
  },
);

test.serial('what one of our functions refuses, by the Triggers of the manifests', async t => {
  t.timeout(20 * minutes);
  const installation = openInstallation(t);
  const {admin, pool} = installation;
  const {name, url} = await listen(t, installation);
  await post(url, binary(name, {type: 'dev.sluice.hello.requested.v1'}), '{"name":""}');
  const id = await eventually(async () => {
    const {rows} = await pool('superuser').query<{id: string}>(
      'select id from dead_letters where event_id = $1',
      [name],
    );
    assert.equal(rows.length, 1);
    return String(rows[0]?.id);
  }, patience);
  const letter = await admin.get<Whole>(`/dead-letters/${id}`);
  t.is(letter.status, 422);
  t.is(JSON.parse(letter.errorData ?? '').code, 'unprocessable_event');
  // It is refused again, and by that another letter.
  await admin.post(`/dead-letters/${id}/redrive`);
  await eventually(async () => {
    const {rows} = await pool('superuser').query<{state: string}>(
      `select case when redriven_at is null then 'waiting' else 'redriven' end as state
       from dead_letters where event_id = $1 order by 1`,
      [name],
    );
    assert.deepEqual(
      rows.map(({state}) => state),
      ['redriven', 'waiting'],
    );
  }, patience);
});

test.serial('a function that cannot start is waited for, then its event is kept', async t => {
  t.timeout(20 * minutes);
  const installation = openInstallation(t);
  const {kubectl, cluster, namespace, image, admin} = installation;
  const type = 'dev.sluice.hello.requested.v1';
  const name = `away-${Date.now().toString(36)}`;
  t.teardown(() =>
    kubectl('delete', 'ksvc,trigger,secret', name, '--ignore-not-found', '--wait=false'),
  );
  const apply = (objects: readonly object[]) =>
    cluster(['apply', '-f', '-'], objects.map(object => stringify(object)).join('---\n'));
  const [secret, ...objects] = awayService({
    name,
    namespace,
    image,
    delivery: tries(1, 'PT5S', name),
  });
  await apply([secret, ...objects]);
  await kubectl(
    'wait',
    '--for=condition=Ready',
    '--timeout=600s',
    `ksvc/${name}`,
    `trigger/${name}`,
  );
  // Once it is at zero its next pod finds no Secret.
  await installation.untilZero(name);
  await kubectl('delete', 'secret', name);
  const {url} = await listen(t, installation);
  const begun = performance.now();
  await post(url, binary(name, {type, away: name}), '{"name":"Nobody"}');
  const [letter] = await eventually(async () => {
    const {data} = await admin.get<{data: Letter[]}>(
      `/dead-letters?subscription=trigger/${namespace}/${name}`,
    );
    assert.equal(data.length, 1);
    return data;
  }, patience);
  t.log(`kept after ${Math.round(performance.now() - begun)} ms: ${letter?.reason}`);
  t.is(letter?.eventId, name);
  // Two attempts of 5 s each.
  t.true(performance.now() - begun >= 10_000);

  await apply([secret]);
  await admin.post(`/dead-letters/${letter?.id}/redrive`);
  await eventually(async () => {
    const log = await kubectl(
      ...['logs', '-l', `serving.knative.dev/service=${name}`, '-c', 'user-container'],
      '--tail=-1',
    );
    assert.match(log, new RegExp(`"event":"${name}"`));
  }, patience);
});
