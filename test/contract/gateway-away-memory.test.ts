/** The bounds of what a gateway keeps in memory, and the states that no test can wait for, with memory twins. */
import assert from 'node:assert/strict';
import test from 'ava';
import {createMemoryLog} from '../../events/outbox.ts';
import {stateNames} from '../../functions/gateway/observe/degradation.ts';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';

type Gateway = Awaited<ReturnType<typeof startGateway>>;

const ask = async (gateway: Gateway) => {
  const response = await gateway.post('/v1/chat/completions', chat({max_tokens: 2}));
  return {status: response.status, body: await response.text()};
};

const health = async ({url}: Gateway) => {
  const response = await fetch(`${url}/healthz`);
  const {degraded = []} = (await response.json()) as {degraded?: {state: string}[]};
  return {code: response.status, states: degraded.map(({state}) => state)};
};

const states = async ({url}: Gateway) => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return new Map(
    [...text.matchAll(/^sluice_degraded\{state="(.*)"\} (\d)$/gm)].map(([, name, value]) => [
      name,
      Number(value),
    ]),
  );
};

test('every state is in the metrics of a gateway that is well', async t => {
  const gateway = await startGateway(t);
  t.deepEqual(
    [...(await states(gateway))],
    stateNames.map(name => [name, 0]),
  );
  t.deepEqual(await health(gateway), {code: 200, states: []});
});

test('results that no log takes are kept up to a bound, new requests are refused beyond it, and all arrive afterwards', async t => {
  const memory = createMemoryLog();
  const log = {away: true};
  const gateway = await startGateway(t, {
    limits: {openRequests: 4},
    budgets: {},
    parts: {
      resultLog: {
        async append(events) {
          if (log.away) {
            throw new Error('the log is away');
          }
          await memory.append(events);
        },
      },
    },
  });
  let served = 0;
  await eventually(
    async () => {
      const {status, body} = await ask(gateway);
      served += status === 200 ? 1 : 0;
      assert.equal(status, 503);
      assert.match(body, /too many results wait/);
    },
    {intervalMs: 1},
  );
  t.is(served, 5);
  t.deepEqual(await health(gateway), {code: 503, states: ['results-full']});
  t.is((await fetch(`${gateway.url}/readyz`)).status, 200, 'it is the one that has to refuse');
  t.is((await states(gateway)).get('results-full'), 1);
  log.away = false;
  await eventually(async () => assert.deepEqual(await health(gateway), {code: 200, states: []}));
  await eventually(() => assert.equal(memory.events.length, served));
  t.is(new Set(memory.events.map(({id}) => id)).size, served);
  t.is((await ask(gateway)).status, 200);
});

test('models that cannot be read are said; known ones are served, the pod stays ready, and it ends by itself', async t => {
  const gateway = await startGateway(t);
  gateway.reading.fails = true;
  gateway.catalogue.invalidate();
  await eventually(async () =>
    assert.deepEqual(await health(gateway), {code: 200, states: ['models-unread']}),
  );
  t.is((await states(gateway)).get('models-unread'), 1);
  t.is((await fetch(`${gateway.url}/readyz`)).status, 200);
  t.is((await gateway.post('/v1/chat/completions', chat({max_tokens: 1}))).status, 200);
  const other = await gateway.post('/v1/chat/completions', chat({model: 'nobody-knows'}));
  t.is(other.status, 404);
  gateway.reading.fails = false;
  await eventually(async () => assert.deepEqual(await health(gateway), {code: 200, states: []}));
});

test('changes that are late are said; beyond the bound nobody is served, and /v1/models neither', async t => {
  const gateway = await startGateway(t, {limits: {staleMaxMs: 5_000}});
  gateway.staleness.ms = 4_000;
  t.is((await ask(gateway)).status, 200);
  t.deepEqual(await health(gateway), {code: 200, states: ['changes-stale']});
  gateway.staleness.ms = 5_001;
  t.is((await ask(gateway)).status, 503);
  const models = await fetch(`${gateway.url}/v1/models`, {
    headers: {authorization: `Bearer ${gateway.apiKey}`},
  });
  t.is(models.status, 503);
  t.deepEqual(await health(gateway), {code: 503, states: ['changes-stale', 'changes-expired']});
  gateway.staleness.ms = 0;
  t.is((await ask(gateway)).status, 200);
  t.deepEqual(await health(gateway), {code: 200, states: []});
});

test('a full outbox refuses nobody while Kafka takes what is new, and everybody while it does not', async t => {
  let kafka: 'there' | 'away' | 'answering' = 'there';
  const gateway = await startGateway(t, {
    limits: {outboxRows: 10},
    backlog: 11,
    parts: {logState: () => ({kafka, outboxEvents: 0})},
  });
  await eventually(async () =>
    assert.deepEqual(await health(gateway), {code: 200, states: ['outbox-full']}),
  );
  t.is((await ask(gateway)).status, 200);
  kafka = 'away';
  t.is((await ask(gateway)).status, 503);
  t.deepEqual(await health(gateway), {code: 503, states: ['kafka-away', 'outbox-full']});
  // The first that tries it again must be let through, or Kafka would stay away for ever.
  kafka = 'answering';
  t.is((await ask(gateway)).status, 200);
});

test('what this process puts into the outbox counts before anybody has looked', async t => {
  const outbox = {events: 0, more: 0};
  const gateway = await startGateway(t, {
    limits: {outboxRows: 1_000},
    parts: {
      // Grows by more than the bound between any two questions, so that no look is ever up to date.
      logState() {
        outbox.events += outbox.more;
        return {kafka: 'away', outboxEvents: outbox.events};
      },
    },
  });
  await eventually(async () =>
    assert.deepEqual(await health(gateway), {code: 200, states: ['kafka-away']}),
  );
  outbox.more = 1_001;
  t.deepEqual(await health(gateway), {code: 503, states: ['kafka-away', 'outbox-full']});
});

test('a gateway that drains is not ready', async t => {
  const {url, gateway} = await startGateway(t);
  const ready = async () => (await fetch(`${url}/readyz`)).status;
  t.is(await ready(), 200);
  gateway.drain();
  t.is(await ready(), 503);
});
