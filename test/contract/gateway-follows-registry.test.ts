/**
A gateway process and the registry on one database: what the registry changes, the gateway follows within a second; what the
gateway finds of endpoints, the registry probes. The test carries the suspicions from the outbox, as the relay would.
*/
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {parseChange} from '../../functions/registry/change.ts';
import {createProbe} from '../../functions/registry/probe.ts';
import {parseRegistration} from '../../functions/registry/registration.ts';
import {createRegistry} from '../../functions/registry/registry.ts';
import {createPostgresStore} from '../../functions/registry/store-postgres.ts';
import {eventually} from '../helpers/eventually.ts';
import {modelName, openProcessWorld} from '../helpers/process-world.ts';
import {makeBody} from '../helpers/registry.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';

const patience = {timeoutMs: 60_000};

const setUp = async (t: ExecutionContext, endpoints: readonly string[]) => {
  t.timeout(180_000);
  const world = await openProcessWorld(t, {endpoints});
  const store = createPostgresStore(world.database.pool('system'));
  // The test's own clock of the registry: a suspicion that follows another at once is a new one.
  const registry = createRegistry({store, probe: createProbe({stepMs: 2_000}), freshMs: 0});
  const [model] = await registry.list({}, 1);
  const id = model?.id as string;
  const headers = {authorization: `Bearer ${world.apiKey}`, 'content-type': 'application/json'};
  const show = async () => {
    const response = await fetch(`${world.gateway.url}/v1/models/${modelName}`, {headers});
    return (await response.json()) as {max_output_tokens: number; state: string};
  };
  const ask = async () => {
    const response = await fetch(`${world.gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers,
      body: JSON.stringify(chat({max_tokens: 1})),
    });
    await response.arrayBuffer();
    return response.status;
  };
  const register = (urls: readonly string[], more: object = {}) =>
    registry.register(
      parseRegistration(
        makeBody({name: modelName, endpoints: urls, contextLength: 8_192, ...more}),
      ),
    );
  /** Hands on what the gateway suspects, oldest first; the URLs that were probed. */
  const relaySuspicions = async () => {
    const {rows} = await world.root.query<{event: {type: string; data: {endpoint: string}}}>(
      `delete from outbox where event->>'type' = 'dev.sluice.endpoint.suspected.v1' returning event`,
    );
    for (const {event} of rows) {
      await registry.suspect(event.data.endpoint);
    }
  };
  const healthOf = async (url: string) =>
    (await registry.find(id)).endpoints.find(endpoint => endpoint.url === url)?.health;
  return {registry, id, show, ask, register, relaySuspicions, healthOf};
};

test('what is changed of a model counts at a gateway process within a second', async t => {
  const model = await startModel(t);
  const {registry, id, show} = await setUp(t, [model.url]);
  t.is((await show()).max_output_tokens, 8_192);
  const took: number[] = [];
  for (const maxOutputTokens of [100, 200, 300, 400, 500]) {
    await registry.change(id, parseChange({maxOutputTokens}));
    const startedMs = performance.now();
    await eventually(
      async () => assert.equal((await show()).max_output_tokens, maxOutputTokens),
      patience,
    );
    took.push(performance.now() - startedMs);
  }
  const median = took.sort((a, b) => a - b)[2] as number;
  t.log(`ms from the commit to the gateway: ${took.map(Math.round).join(', ')}`);
  // Five times what is promised: the machine may have other work.
  t.true(median < 5_000, `${median} ms`);
});

test('an endpoint gets requests when it is registered, none while it is ill, and again when it is back', async t => {
  const [first, second] = [await startModel(t), await startModel(t)];
  const {show, ask, register, relaySuspicions, healthOf} = await setUp(t, [first.url]);
  const requestsOf = ({counters}: typeof first) => counters().requests;
  const askUntil = (assertion: () => unknown) =>
    eventually(async () => {
      await ask();
      await relaySuspicions();
      await assertion();
    }, patience);

  await register([first.url, second.url]);
  const probes = requestsOf(second);
  const registeredMs = performance.now();
  await eventually(async () => {
    assert.equal(await ask(), 200);
    assert.ok(requestsOf(second) > probes);
  }, patience);
  const tookMs = Math.round(performance.now() - registeredMs);
  t.log(`ms from the registration to the first request: ${tookMs}`);

  await second.close();
  await askUntil(async () => assert.equal(await healthOf(second.url), 'unhealthy'));
  await eventually(async () => assert.equal((await show()).state, 'degraded'), patience);
  const meanwhile = await Promise.all(Array.from({length: 10}, ask));
  t.deepEqual(new Set(meanwhile), new Set([200]));

  const back = await startModel(t, {port: Number(new URL(second.url).port)});
  const backMs = performance.now();
  await askUntil(async () => assert.equal(await healthOf(second.url), 'healthy'));
  t.log(`ms until it is known to be back: ${Math.round(performance.now() - backMs)}`);
  const before = requestsOf(back);
  await eventually(async () => {
    assert.equal(await ask(), 200);
    assert.ok(requestsOf(back) > before);
  }, patience);
  await eventually(async () => assert.equal((await show()).state, 'ready'), patience);
});

test('a model of which nothing runs is registered, cold for clients, starts with a request, and is known from then on', async t => {
  const [always, gone] = [await startModel(t), await startModel(t)];
  await gone.close();
  const {show, ask, register, relaySuspicions, healthOf} = await setUp(t, [always.url]);
  const {model} = await register([gone.url], {startSeconds: 120});
  t.is(model.status, 'ready');
  t.like(model.endpoints[0], {health: 'unknown', usage: null});
  await eventually(async () => assert.equal((await show()).state, 'cold'), patience);

  const answered = ask();
  await eventually(async () => assert.equal((await show()).state, 'loading'), patience);
  await startModel(t, {port: Number(new URL(gone.url).port)});
  t.is(await answered, 200);

  await eventually(async () => {
    await relaySuspicions();
    assert.equal(await healthOf(gone.url), 'healthy');
  }, patience);
  await eventually(async () => assert.equal((await show()).state, 'ready'), patience);
});
