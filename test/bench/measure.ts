/**
Measure: one target under one row's load, for some seconds after a warm-up that is not counted.

In: the world, a row, a target. Out: what a request (or chunk) cost it, what the stores and the load generator used
meanwhile, the latencies. A round measures every target once, one after the other, so that a noisy neighbour or a clock
that steps down hits all of them alike.
*/
import {once} from 'node:events';
import {setTimeout as wait} from 'node:timers/promises';
import {cpuMsOf} from './cpu.ts';
import {percentile} from './figures.ts';
import {flawsOf} from './gauges.ts';
import type {Command, Count} from './load.ts';
import {bodyOf, type Row} from './rows.ts';
import type {StoreName} from './stores.ts';
import type {TargetName, World} from './world.ts';

export type Sample = Readonly<{
  target: TargetName;
  /** CPU of the target a request, or a chunk where the row counts chunks. */
  cpuMicros: number;
  /** CPU of the stores, of all their processes, a request or a chunk. */
  storeMicros: Readonly<Record<StoreName, number>>;
  completed: number;
  failed: number;
  perSecond: number;
  /** Of one core. */
  loadShare: number;
  targetShare: number;
  p50Ms: number;
  p99Ms: number;
  /** Why it does not count. */
  flaws: readonly string[];
}>;

const createLoad = ({process: child}: World['load']) => {
  const tell = (command: Command) => void child.send(command);
  const ask = async <Answer>(command: Command) => {
    const answered = once(child, 'message');
    tell(command);
    const [answer] = await answered;
    return answer as Answer;
  };
  return {tell, ask};
};

export const measure = async (
  world: World,
  row: Row,
  name: TargetName,
  {warmMs, measuredMs}: {warmMs: number; measuredMs: number},
): Promise<Sample | undefined> => {
  const target = world.target(name, row.model);
  if (!target) {
    return undefined;
  }
  const {tell, ask} = createLoad(world.load);
  tell({
    kind: 'start',
    plan: {
      url: `${target.url}/v1/chat/completions`,
      headers: {...target.headers, 'content-type': 'application/json'},
      body: bodyOf(row),
      connections: row.connections,
      rate: row.rate,
      countsEvents: row.measures === 'chunk',
    },
  });
  await wait(warmMs);
  const {cpuMs} = world.stores;
  const read = () => ({
    atMs: performance.now(),
    target: target.cpuMs(),
    postgres: cpuMs.postgres(),
    redis: cpuMs.redis(),
    kafka: cpuMs.kafka(),
    load: cpuMsOf(world.load.pid),
  });
  const gaugesBefore = await world.gauges();
  const warm = await ask<Count>({kind: 'mark'});
  const before = read();
  await wait(measuredMs);
  const count = await ask<Count>({kind: 'mark'});
  const after = read();
  await ask({kind: 'stop'});
  const elapsedMs = after.atMs - before.atMs;
  const units = row.measures === 'chunk' ? count.events : count.completed;
  const microsOf = (what: 'target' | StoreName) => ((after[what] - before[what]) * 1_000) / units;
  return {
    target: name,
    cpuMicros: microsOf('target'),
    storeMicros: {
      postgres: microsOf('postgres'),
      redis: microsOf('redis'),
      kafka: microsOf('kafka'),
    },
    completed: count.completed,
    failed: warm.failed + count.failed,
    perSecond: (count.completed * 1_000) / elapsedMs,
    loadShare: (after.load - before.load) / elapsedMs,
    targetShare: (after.target - before.target) / elapsedMs,
    p50Ms: percentile(count.latenciesMs, 0.5),
    p99Ms: percentile(count.latenciesMs, 0.99),
    flaws: name === 'gateway' ? flawsOf(gaugesBefore, await world.gauges(), count.completed) : [],
  };
};
