/**
Clients that fail: one that reads a byte a second, some that vanish without closing anything, go before the first byte, or die within
their own request. The gateway is a process of its own.
*/
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import type {Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {startBlackHole} from '../helpers/black-hole.ts';
import {eventually} from '../helpers/eventually.ts';
import {openClient} from '../helpers/kept-alive.ts';
import {type ModelProcess, startModelProcess} from '../helpers/model-process.ts';
import {assertSettled, memoryOf, modelName, openProcessWorld} from '../helpers/process-world.ts';
import {bodyOf, openRaw} from '../helpers/raw-client.ts';

const patience = {timeoutMs: 60_000, intervalMs: 50};
/** About 130 MB of chunks: no buffer between a model server and a client is so large. */
const longTokens = 400_000;
const contextLength = 1_000_000;

const start = async (
  t: ExecutionContext,
  model: Parameters<typeof startModelProcess>[1] = {},
  env: Readonly<Record<string, string>> = {},
) => {
  t.timeout(180_000);
  const server = await startModelProcess(t, {
    models: [{name: modelName, maxModelLength: contextLength}],
    defaultTokens: longTokens,
    ...model,
  });
  const world = await openProcessWorld(t, {endpoints: [server.url], contextLength, env});
  const place = {url: world.gateway.url, apiKey: world.apiKey};
  return {server, world, ...world, place};
};
type World = Awaited<ReturnType<typeof start>>;

const running = async (server: ModelProcess, count: number) =>
  eventually(async () => assert.equal((await server.counters()).running, count), patience);

/** Resolves with the tokens that are generated when no more are. */
const stoodStill = (server: ModelProcess) => {
  let before = -1;
  return eventually(
    async () => {
      const {tokensGenerated} = await server.counters();
      const last = before;
      before = tokensGenerated;
      assert.ok(tokensGenerated > 0 && tokensGenerated === last, `${tokensGenerated} and counting`);
      return tokensGenerated;
    },
    {...patience, intervalMs: 500},
  );
};

/** What the one long stream was charged is what the model server sent, whoever has it. */
const assertCharged = async (t: ExecutionContext, {world, server, gateway}: World) => {
  t.is(await gateway.stop(), 0);
  const {ledger, ...rest} = await world.books();
  const ids = ledger.map(({request}) => request);
  assertSettled({ledger, ...rest}, ids);
  const counted = await server.requestCounters(ids);
  t.deepEqual(
    ledger.map(({outputTokens}) => outputTokens),
    counted.map(one => one?.tokensSent ?? 0),
  );
  return ledger;
};

const longStream = bodyOf(modelName, {stream: true, max_tokens: longTokens});

/** Takes one byte a second of what has come, and lets the rest wait. */
const readSlowly = (t: ExecutionContext, socket: Socket) => {
  const timer = setInterval(() => socket.read(1), 1_000);
  t.teardown(() => clearInterval(timer));
};

test.serial(
  'a client that reads a byte a second holds its model server back, costs no memory and no other client, until its deadline',
  async t => {
    const opened = await start(t, {}, {REQUEST_TIMEOUT_MS: '20000'});
    const {server, gateway, place} = opened;
    const others = openClient({...place, model: modelName});
    t.teardown(others.close);
    const medianOf = async (count: number) => {
      const tookMs: number[] = [];
      for (let turn = 0; turn < count; turn += 1) {
        const {how, sentMs} = await others.ask({stream: true, max_tokens: 5});
        assert.equal(how, 'whole');
        tookMs.push(performance.now() - sentMs);
      }
      return Math.round(tookMs.sort((one, other) => one - other)[count >> 1] as number);
    };
    const aloneMs = await medianOf(20);
    const beforeMiB = memoryOf(gateway);
    const slow = await Promise.all([1, 2, 3].map(() => openRaw({...place, body: longStream})));
    for (const socket of slow) {
      readSlowly(t, socket);
    }
    const generated = await stoodStill(server);
    const grownMiB = memoryOf(gateway) - beforeMiB;
    const besideMs = await medianOf(20);
    t.log({generated, grownMiB, aloneMs, besideMs});
    t.true(generated < (slow.length * longTokens) / 2, 'the model server waits');
    t.true(grownMiB < 100, 'nothing is kept for who does not read');
    t.true(besideMs < 5 * aloneMs + 500);
    await running(server, 0);
    for (const socket of slow) {
      socket.destroy();
    }
    const ledger = await assertCharged(t, opened);
    t.is(ledger.length, 43);
  },
);

test.serial(
  'a client that takes nothing of what waits for it is cut off, also when it vanished behind a proxy that closes nothing',
  async t => {
    const opened = await start(t, {}, {CLIENT_IDLE_TIMEOUT_MS: '1500'});
    const {server, gateway, place} = opened;
    const hole = await startBlackHole(t, gateway.url);
    const stuck = [
      await openRaw({...place, body: longStream}),
      await openRaw({...place, url: hole.url, body: longStream}),
    ];
    for (const socket of stuck) {
      socket.resume();
    }
    await eventually(() => assert.ok(stuck.every(({bytesRead}) => bytesRead > 10_000)), patience);
    stuck[0]?.pause();
    hole.swallow({full: true});
    const began = performance.now();
    await running(server, 0);
    t.log({cutOffMs: Math.round(performance.now() - began)});
    const ledger = await assertCharged(t, opened);
    t.is(ledger.length, 2);
  },
);

test.serial('a client that waits for a slow model is not cut off', async t => {
  const {world, gateway, place} = await start(
    t,
    {firstTokenDelayMs: 1_500, tokenDelayMs: 700, defaultTokens: 3},
    {CLIENT_IDLE_TIMEOUT_MS: '300'},
  );
  const client = openClient({...place, model: modelName});
  t.teardown(client.close);
  const replies = [
    await client.ask({stream: true, max_tokens: 3}),
    await client.ask({max_tokens: 3}),
  ];
  t.deepEqual(
    replies.map(({how, status}) => [how, status]),
    [
      ['whole', 200],
      ['whole', 200],
    ],
  );
  t.is(await gateway.stop(), 0);
  assertSettled(
    await world.books(),
    replies.map(({request}) => request),
  );
});

/** What the kernel says it waits for on a connection of the gateway's port with this client: `02` is a keep-alive probe. */
const timerOf = (port: number, clientPort: number) => {
  const hex = (value: number) => value.toString(16).toUpperCase().padStart(4, '0');
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .find(
      ([, local, remote]) =>
        local?.endsWith(`:${hex(port)}`) && remote?.endsWith(`:${hex(clientPort)}`),
    )?.[5]
    ?.slice(0, 2);
};

test.serial(
  'a client that waits for its first byte is probed, so that one that vanished is found',
  async t => {
    const {server, gateway, place} = await start(t, {firstTokenDelayMs: 60_000});
    const socket = await openRaw({...place, body: bodyOf(modelName, {max_tokens: 5})});
    await running(server, 1);
    await eventually(() => assert.equal(timerOf(gateway.port, socket.localPort as number), '02'));
    t.pass();
    socket.destroy();
  },
);

const attempts = 20;

test.serial('a client that goes before the first byte stops the model server at once', async t => {
  const opened = await start(t, {firstTokenDelayMs: 60_000, faultsByHeader: false});
  const {server, place} = opened;
  const tookMs: number[] = [];
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const body = bodyOf(modelName, {stream: attempt % 2 === 0, max_tokens: 5});
    const socket = await openRaw({...place, body});
    await running(server, 1);
    const began = performance.now();
    attempt % 4 < 2 ? socket.destroy() : socket.resetAndDestroy();
    await eventually(async () => assert.equal((await server.counters()).aborted, attempt), {
      ...patience,
      intervalMs: 2,
    });
    tookMs.push(performance.now() - began);
  }
  tookMs.sort((one, other) => one - other);
  const [median = 0, longest = 0] = [tookMs[attempts / 2], tookMs.at(-1)];
  t.log({medianMs: Math.round(median), longestMs: Math.round(longest)});
  t.true(median < 500, 'five times what is promised');
  const ledger = await assertCharged(t, opened);
  t.is(ledger.length, attempts);
  t.true(ledger.every(({estimated, outputTokens}) => estimated && outputTokens === 0));
});

test.serial(
  'a client that dies within its body reaches no model, costs nothing, and is nobody’s fault',
  async t => {
    const opened = await start(t, {defaultTokens: 5});
    const {server, gateway, place} = opened;
    const body = bodyOf(modelName, {max_tokens: 5});
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const socket = await openRaw({...place, body}, 0.5);
      attempt % 2 === 0 ? socket.destroy() : socket.resetAndDestroy();
    }
    // Half of them close in order; of a reset the gateway may have read nothing at all.
    await eventually(
      async () => assert.ok((await gateway.metric('sluice_denials_total')) >= 10),
      patience,
    );
    t.is(await gateway.metric('sluice_denials_total{code="internal"}'), 0);
    t.is(await gateway.metric('sluice_holds'), 0);
    const client = openClient({...place, model: modelName});
    t.is((await client.ask({max_tokens: 5})).status, 200);
    client.close();
    t.is((await server.counters()).requests, 1);
    t.is((await assertCharged(t, opened)).length, 1);
  },
);
