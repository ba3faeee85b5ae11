/** Streams whose prompts are long: what a gateway keeps of them while it only passes answers on. */
import assert from 'node:assert/strict';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {startModelProcess} from '../helpers/model-process.ts';
import {memoryOf, modelName, openProcessWorld} from '../helpers/process-world.ts';
import {openRaw} from '../helpers/raw-client.ts';

const streams = 200;
const atOnce = 20;
const contextLength = 1_000_000;
/** undici keeps the one that it sent; the rest is the heap's own, which takes its time to be given back. */
const copiesMax = 2.6;

test('of a prompt that was sent a stream keeps no copies of its own', async t => {
  t.timeout(120_000);
  const model = await startModelProcess(t, {
    models: [{name: modelName, maxModelLength: contextLength}],
    tokenDelayMs: 1_000,
    defaultTokens: 1_000,
  });
  const world = await openProcessWorld(t, {endpoints: [model.url], contextLength});
  const {gateway, apiKey} = world;
  const content = 'abc '.repeat(100_000);
  const messages = [{role: 'user', content}];
  const body = JSON.stringify({model: modelName, stream: true, max_tokens: 1_000, messages});
  const beforeMiB = memoryOf(gateway);
  for (let opened = atOnce; opened <= streams; opened += atOnce) {
    const sockets = await Promise.all(
      Array.from({length: atOnce}, () => openRaw({url: gateway.url, apiKey, body})),
    );
    for (const socket of sockets) {
      socket.resume();
      t.teardown(() => socket.destroy());
    }
    await eventually(() => assert.ok(sockets.every(({bytesRead}) => bytesRead > 0)), {
      timeoutMs: 30_000,
    });
  }
  t.is((await model.counters()).running, streams);
  const grownMiB = memoryOf(gateway) - beforeMiB;
  const copies = (grownMiB * 1024 * 1024) / (streams * body.length);
  t.log({beforeMiB, grownMiB, copies: Math.round(copies * 10) / 10});
  t.true(copies < copiesMax);
});
