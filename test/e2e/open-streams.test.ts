/**
5,000 streams open at once in one gateway process, a token a second each. A third is cut by its clients, a third comes to its end, a
third is there when the process is told to go.
*/
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import test, {type ExecutionContext} from 'ava';
import {type CrowdStream, startCrowd} from '../helpers/crowd.ts';
import {eventually} from '../helpers/eventually.ts';
import {startModelProcess} from '../helpers/model-process.ts';
import {assertSettled, memoryOf, modelName, openProcessWorld} from '../helpers/process-world.ts';

const third = 1_667;
const streams = 3 * third;
/** More than it lasts: whoever has so many is still there at SIGTERM. */
const manyTokens = 150;
/** While they are opened, so that none ends before all are there, however slow the machine is; and then. */
const openingDelayMs = 15_000;
const tokenDelayMs = 1_000;
const fewTokens = Array.from({length: third}, (_, index) => 20 + (index % 8));
const cutWithinMs = 8_000;
const [drained, cut] = [0, third];

/** A connection to each client, one to the model server for it, and what a process has besides. */
const filesNeeded = 2 * streams + 200;

const assertFiles = (pid: number) => {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1];
  assert.ok(
    Number(limit) >= filesNeeded,
    `${streams} streams want ${filesNeeded} open files, and a process may have ${limit}: raise the hard limit (ulimit -Hn)`,
  );
};

const start = async (t: ExecutionContext) => {
  t.timeout(600_000);
  const model = await startModelProcess(t, {
    tokenDelayMs: openingDelayMs,
    defaultTokens: manyTokens,
  });
  const env = {REQUEST_TIMEOUT_MS: '300000'};
  const world = await openProcessWorld(t, {endpoints: [model.url], env});
  assertFiles(world.gateway.pid);
  return {model, world, crowd: startCrowd(t)};
};

const runningOf = async (model: Awaited<ReturnType<typeof start>>['model']) =>
  (await model.counters()).running;

const countBy = (all: readonly CrowdStream[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(all, ({how}) => how)).map(([how, some = []]) => [
      how,
      some.length,
    ]),
  );

test('5,000 open streams are cut, end and are drained, and each is settled once with every token that was sent', async t => {
  const {model, world, crowd} = await start(t);
  const {gateway} = world;
  const many = Array.from({length: 2 * third}, () => manyTokens);
  const began = performance.now();
  const since = () => Math.round(performance.now() - began);
  const maxTokens = [...many, ...fewTokens];
  await crowd.open({url: gateway.url, apiKey: world.apiKey, model: modelName, maxTokens});
  t.is(await runningOf(model), streams, 'all are open at once');
  model.set({tokenDelayMs});
  const openMs = since();
  t.is(await gateway.metric('sluice_holds'), 3 * streams, 'three budgets each');
  const openMiB = memoryOf(gateway);
  await crowd.cut(cut, cut + third, cutWithinMs);
  const peakMiB = memoryOf(gateway, 'VmHWM');
  await eventually(async () => assert.equal(await runningOf(model), third), {timeoutMs: 90_000});
  // The last of an answer is still on its way when its model is done.
  const beforeDrain = await eventually(
    async () => {
      const found = await crowd.look();
      assert.deepEqual(countBy(found), {open: third, cut: third, whole: third});
      return found;
    },
    {timeoutMs: 60_000},
  );

  const endMs = since();
  gateway.child.kill('SIGTERM');
  const tokensAtTerm = beforeDrain[drained]?.tokens ?? 0;
  await eventually(
    async () => assert.ok(((await crowd.look())[drained]?.tokens ?? 0) > tokensAtTerm + 2),
    {timeoutMs: 30_000},
  );
  t.is(await runningOf(model), third, 'it goes on at its pace');
  model.set({tokenDelayMs: 20});
  t.is(await gateway.ended, 0);
  const drainMs = since();

  const seen = await crowd.look();
  t.deepEqual(countBy(seen), {whole: 2 * third, cut: third});
  t.deepEqual(
    seen.filter(({how, tokens}, index) => how === 'whole' && tokens !== maxTokens[index]),
    [],
    'who was not cut has all of its tokens',
  );
  const books = await world.books();
  assertSettled(
    books,
    seen.map(({request}) => request),
  );
  const ids = books.ledger.map(({request}) => request);
  const counted = await model.requestCounters(ids);
  const sent = new Map(ids.map((id, index) => [id, counted[index]?.tokensSent]));
  const differing = books.ledger
    .filter(({request, outputTokens}) => outputTokens !== sent.get(request))
    .map(({request, outputTokens}) => ({request, outputTokens, sent: sent.get(request)}));
  t.is(differing.length, 0, `charged is what was sent, but for ${JSON.stringify(differing[0])}`);
  const charged = books.ledger.reduce((sum, {outputTokens}) => sum + outputTokens, 0);
  t.is(charged, (await model.counters()).tokensSent);
  t.log({streams, charged, openMiB, peakMiB, openMs, endMs, drainMs, bookedMs: since()});
});
