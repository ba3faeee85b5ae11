/**
What a gateway does that is started while something is away: the registry's function, PostgreSQL, Redis.
*/
import assert from 'node:assert/strict';
import type {AddressInfo} from 'node:net';
import {createServer, type Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {eventually} from '../helpers/eventually.ts';
import {openClient} from '../helpers/kept-alive.ts';
import {startModelProcess} from '../helpers/model-process.ts';
import {modelName, openProcessWorld, startGatewayProcess} from '../helpers/process-world.ts';

/** Takes connections and never says a word. */
const startSilent = async (t: ExecutionContext) => {
  const sockets: Socket[] = [];
  const server = createServer(socket => void sockets.push(socket.on('error', () => {})));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

test('without the registry’s function a gateway starts, serves, and follows what the registry’s tables say', async t => {
  const model = await startModelProcess(t, {
    models: [
      {name: modelName, maxModelLength: 8_192},
      {name: 'other', maxModelLength: 8_192},
    ],
  });
  const world = await openProcessWorld(t, {endpoints: [model.url]});
  const ask = async (name: string) => {
    const client = openClient({url: world.gateway.url, apiKey: world.apiKey, model: name});
    const reply = await client.ask({max_tokens: 2});
    client.close();
    return reply.status;
  };
  t.is(await ask(modelName), 200);
  t.is(await ask('other'), 404);
  const id = uuidv7();
  await world.root.query(
    `with model as (insert into models (id, name, environment, status, context_length)
       values ($1, 'other', 'development', 'ready', 8192)),
     price as (insert into prices (model_id, version, input_per_million, output_per_million) values ($1, 1, 200000000, 600000000)),
     endpoint as (insert into endpoints (id, model_id, url, upstream_model, usage, health)
       values ($2, $1, $3, 'other', 'every-chunk', 'healthy'))
     select 1`,
    [id, uuidv7(), model.url],
  );
  await eventually(async () => assert.equal(await ask('other'), 200));
});

for (const how of ['refuses', 'says nothing'] as const) {
  test(`a gateway whose PostgreSQL ${how} at its start ends with status 1 and says why`, async t => {
    const port = how === 'refuses' ? 9 : await startSilent(t);
    const began = performance.now();
    const error = await t.throwsAsync(
      startGatewayProcess(t, {
        DATABASE_URL: `postgres://sluice_gateway:secret@127.0.0.1:${port}/sluice`,
      }),
    );
    const tookMs = Math.round(performance.now() - began);
    t.log({tookMs, reason: error?.message.split('\n').slice(0, 3)});
    t.regex(error?.message ?? '', /ended with 1 /);
    t.regex(error?.message ?? '', how === 'refuses' ? /ECONNREFUSED/ : /timeout/);
    t.notRegex(error?.message ?? '', /secret/);
    t.true(tookMs < 45_000);
  });
}

for (const how of ['refuses', 'says nothing'] as const) {
  test(`a gateway whose Redis ${how} at its start starts, and serves with limits and keys of its own`, async t => {
    const port = how === 'refuses' ? 9 : await startSilent(t);
    const model = await startModelProcess(t);
    const world = await openProcessWorld(t, {
      endpoints: [model.url],
      env: {REDIS_URL: `redis://127.0.0.1:${port}`},
    });
    await world.root.query('update keys set requests_per_minute = 3');
    const client = openClient({url: world.gateway.url, apiKey: world.apiKey, model: modelName});
    t.teardown(client.close);
    const began = performance.now();
    await eventually(async () => assert.equal((await client.ask({max_tokens: 1})).status, 429), {
      intervalMs: 1,
    });
    t.true(performance.now() - began < 30_000);
    await eventually(async () =>
      assert.equal(await world.gateway.metric('sluice_limits_per_process'), 1),
    );
    t.is(await world.gateway.stop(), 0);
  });
}
