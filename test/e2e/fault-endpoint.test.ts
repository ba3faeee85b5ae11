/**
Model servers that fail while requests run: killed in mid-stream, all of them gone, frozen or cut off by a network that says nothing.
The gateway is a process of its own.
*/
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {startBlackHole} from '../helpers/black-hole.ts';
import {eventually} from '../helpers/eventually.ts';
import {openClient, type Reply} from '../helpers/kept-alive.ts';
import {startModelProcess} from '../helpers/model-process.ts';
import {
  assertSettled,
  modelName,
  openProcessWorld,
  type ProcessWorld,
} from '../helpers/process-world.ts';

const patience = {timeoutMs: 60_000};
const manyTokens = 2_000;

const start = async (
  t: ExecutionContext,
  endpoints: readonly string[],
  env: Readonly<Record<string, string>> = {},
) => {
  t.timeout(180_000);
  return openProcessWorld(t, {endpoints, env});
};

const ask = async ({gateway, apiKey}: ProcessWorld, stream: boolean, maxTokens: number) => {
  const client = openClient({url: gateway.url, apiKey, model: modelName});
  const reply = await client.ask({stream, max_tokens: maxTokens});
  client.close();
  return reply;
};
const askMany = (world: ProcessWorld, count: number, stream: boolean, maxTokens = manyTokens) =>
  Array.from({length: count}, () => ask(world, stream, maxTokens));

const tokensOf = ({text}: Reply) => [...text.matchAll(/"content":"[^"]/g)].length;
const errorOf = ({text}: Reply) => {
  const last = text.trim().split('\n\n').at(-1) ?? '';
  return JSON.parse(last.startsWith('data: ') ? last.slice(6) : last).error.code as string;
};

/** The ledger's row of each request, after the gateway has ended. */
const settle = async (t: ExecutionContext, world: ProcessWorld, requests: readonly string[]) => {
  t.is(await world.gateway.stop(), 0);
  const books = await world.books();
  assertSettled(books, requests);
  return new Map(books.ledger.map(entry => [entry.request, entry]));
};

/** Streams that broke off end with this error event, and each is charged what its client has. */
const assertBrokenOff = (
  t: ExecutionContext,
  streams: readonly Reply[],
  ledger: Awaited<ReturnType<typeof settle>>,
  code: string,
) => {
  t.deepEqual(new Set(streams.map(({status}) => status)), new Set([200]));
  t.deepEqual(new Set(streams.map(errorOf)), new Set([code]));
  t.false(streams.some(({text}) => text.includes('[DONE]')));
  t.deepEqual(
    streams.map(({request}) => ledger.get(request)?.outputTokens),
    streams.map(tokensOf),
  );
  t.true(streams.every(reply => tokensOf(reply) > 0));
};

test.serial(
  'kill -9 of the model server: streams end with an error event and are charged what was sent, whole answers cost no token',
  async t => {
    const model = await startModelProcess(t, {tokenDelayMs: 20, defaultTokens: manyTokens});
    const world = await start(t, [model.url]);
    const streams = askMany(world, 50, true);
    const wholes = askMany(world, 10, false);
    await eventually(async () => {
      const {running, tokensSent} = await model.counters();
      assert.equal(running, 60);
      assert.ok(tokensSent > 500);
    }, patience);
    await model.kill();
    const began = performance.now();
    const broken = await Promise.all(streams);
    const failed = await Promise.all(wholes);
    t.log({toldMs: Math.round(performance.now() - began)});
    t.true(failed.every(({status}) => status === 502 || status === 503));
    const all = [...broken, ...failed];
    const ledger = await settle(
      t,
      world,
      all.map(({request}) => request),
    );
    assertBrokenOff(t, broken, ledger, 'upstream_error');
    t.true(failed.every(({request}) => ledger.get(request)?.outputTokens === 0));
  },
);

test.serial(
  'all endpoints down: everybody is told so at once and charged nothing, the registry is told, and it serves again when one is back',
  async t => {
    const models = [await startModelProcess(t), await startModelProcess(t)];
    const world = await start(
      t,
      models.map(({url}) => url),
    );
    t.is((await ask(world, true, 5)).status, 200);
    for (const model of models) {
      await model.kill();
    }
    const began = performance.now();
    const refused = await Promise.all([
      ...askMany(world, 30, true, 5),
      ...askMany(world, 30, false, 5),
    ]);
    const toldMs = Math.round(performance.now() - began);
    t.log({toldMs, statuses: [...new Set(refused.map(({status}) => status))]});
    t.deepEqual(new Set(refused.map(({how}) => how)), new Set(['whole']));
    t.true(refused.every(({status}) => status === 502 || status === 503));
    t.true(refused.every(reply => ['upstream_error', 'unavailable'].includes(errorOf(reply))));
    t.true(toldMs < 10_000);
    await eventually(async () => {
      const {rows} = await world.root.query(
        `select from outbox where destination = 'broker:default' and event ->> 'type' like '%endpoint.suspected%'`,
      );
      assert.equal(rows.length, models.length, 'endpoints that the registry was told of');
    }, patience);

    const back = await startModelProcess(t, {port: models[0]?.port as number});
    await eventually(async () => assert.equal((await ask(world, true, 5)).status, 200), patience);
    t.true((await back.counters()).requests > 0);
    t.is(await world.gateway.stop(), 0);
    const {ledger, leased, open} = await world.books();
    t.deepEqual([leased, open], [0, 0]);
    const served = new Set(refused.map(({request}) => request));
    t.deepEqual(
      ledger.filter(({request, costNanos}) => served.has(request) && costNanos !== 0),
      [],
    );
  },
);

test.serial(
  'a network that swallows what a model server sends: streams end with an error event after the idle time, requests after the time to the first byte',
  async t => {
    const model = await startModelProcess(t, {tokenDelayMs: 20, defaultTokens: manyTokens});
    const hole = await startBlackHole(t, model.url);
    const world = await start(t, [hole.url], {
      IDLE_TIMEOUT_MS: '1500',
      FIRST_BYTE_TIMEOUT_MS: '1500',
    });
    const streams = askMany(world, 20, true);
    await eventually(async () => {
      const {running, tokensSent} = await model.counters();
      assert.equal(running, 20);
      assert.ok(tokensSent > 200);
    }, patience);
    hole.swallow();
    const began = performance.now();
    const broken = await Promise.all(streams);
    const idleMs = Math.round(performance.now() - began);
    // Its circuit is open: most are told at once, and the one that tries it again after the time to the first byte.
    const late: Reply[] = [];
    await eventually(async () => {
      late.push(await ask(world, late.length % 2 === 0, 5));
      assert.equal(late.at(-1)?.status, 504);
    }, patience);
    t.log({idleMs, late: late.map(({status}) => status).join(' ')});
    t.true(idleMs < 5 * 1_500 + 2_500);
    t.true(late.every(({status, how}) => how === 'whole' && (status === 503 || status === 504)));
    const ledger = await settle(
      t,
      world,
      [...broken, ...late.slice(-1)].map(({request}) => request),
    );
    assertBrokenOff(t, broken, ledger, 'upstream_timeout');
    t.is(ledger.get(late.at(-1)?.request ?? '')?.outputTokens, 0);
  },
);

test.serial(
  'one of two model servers is killed again and again under load: what had not begun to answer is served by the other, nobody pays twice',
  async t => {
    const steady = await startModelProcess(t, {tokenDelayMs: 5, defaultTokens: 40});
    let other = await startModelProcess(t, {tokenDelayMs: 5, defaultTokens: 40});
    const {port} = other;
    const world = await start(t, [steady.url, other.url]);
    let isOver = false;
    const replies: Reply[] = [];
    const clients = Array.from({length: 20}, async (_, index) => {
      while (!isOver) {
        replies.push(await ask(world, index % 2 === 0, 40));
      }
    });
    for (let turn = 0; turn < 3; turn += 1) {
      const before = replies.length;
      await eventually(async () => {
        assert.ok(replies.length > before + 60);
        assert.ok((await other.counters()).running > 0, 'it is used again');
      }, patience);
      await other.kill();
      const down = replies.length;
      await eventually(() => assert.ok(replies.length > down + 60), patience);
      other = await startModelProcess(t, {port, tokenDelayMs: 5, defaultTokens: 40});
    }
    isOver = true;
    await Promise.all(clients);
    const isBroken = ({text}: Reply) => text.includes('data:') && !text.includes('[DONE]');
    const broken = replies.filter(isBroken);
    const others = replies.filter(reply => !isBroken(reply));
    t.log({replies: replies.length, broken: broken.length});
    t.deepEqual(
      others.filter(({status, how}) => status !== 200 || how !== 'whole').map(({text}) => text),
      [],
      'a whole answer, or a stream that had not begun, notices nothing',
    );
    const ledger = await settle(
      t,
      world,
      replies.map(({request}) => request),
    );
    t.deepEqual(
      others.filter(({request}) => ledger.get(request)?.outputTokens !== 40),
      [],
    );
    assertBrokenOff(t, broken, ledger, 'upstream_error');
  },
);
