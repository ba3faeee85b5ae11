/**
Run: one storm: the world is started, a thousand clients ask, everything is struck by the plan, then all comes to rest and is judged.

In: seed, cap, clients, how long, the fault to plant. Out: findings for `judge`, with what the table tells beside them.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {randomFrom} from '../random.ts';
import {readBooks} from './books.ts';
import {type BreakName, requirePlantable} from './breaks.ts';
import {costOf} from './cost.ts';
import {drain} from './drain.ts';
import {readHistory} from './history.ts';
import {startLoad} from './load.ts';
import {instantAt, type LogEvent, readLog} from './log.ts';
import {planOf} from './plan.ts';
import {falseRefusals} from './refusals.ts';
import type {Run} from './report.ts';
import {restoreAndReplay} from './restore.ts';
import {type Backup, striker} from './strike.ts';
import {gatewayCount, lives, maxTokens, models} from './terms.ts';
import {startWatch, type Watch} from './watch.ts';
import {startWorld, type World} from './world.ts';

export type StormOptions = Readonly<{
  seed: number;
  limitNanos: number;
  clients: number;
  /** Of acts; each is followed by a calm. */
  rounds: number;
  /** For the load; it ends sooner when everybody was told that the budget is spent. */
  seconds: number;
  restore: boolean;
  fault?: BreakName;
  say: (line: string) => void;
}>;

const drainMs = 60_000;
const replayMarginMs = 100;

/** The longest prompt that a client sends, generously, and the longest answer it asks for. */
const holdMax = models.reduce((most, {inputPerMillion, outputPerMillion}) => {
  const hold = costOf(400n * BigInt(inputPerMillion) + BigInt(maxTokens.most * outputPerMillion));
  return hold > most ? hold : most;
}, 0n);

const isSpent = (samples: readonly {spent: bigint; overage: bigint}[], limit: bigint) => {
  const last = samples.at(-1);
  return last !== undefined && (last.spent + last.overage) * 100n >= limit * 98n;
};

export const runStorm = async (options: StormOptions): Promise<Run> => {
  const began = performance.now();
  if (options.fault !== undefined) {
    requirePlantable(options.fault);
  }
  const interrupt = Promise.withResolvers<never>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupt.reject(new Error(signal)));
  }
  // It may come while the world is started, and is heard when there is something to stop.
  interrupt.promise.catch(() => {});
  const world = await startWorld(options);
  try {
    return await Promise.race([storm(world, options, began), interrupt.promise]);
  } finally {
    await world.stop();
  }
};

const storm = async (world: World, options: StormOptions, began: number): Promise<Run> => {
  const {servers, tenant, proxy} = world;
  const beganMs = Date.now();
  const url = servers.postgres.url('superuser');
  const watch = startWatch(url, {budget: tenant.budget, ttlMs: lives.leaseTtlMs});
  const {load, struck, backup} = await blow(world, options, watch);
  const undrained = await rest(world, options);
  await watch.stop();
  await Promise.all(world.ours.map(one => one.end()));
  const books = await readBooks(url, tenant.org);
  const log = await readLog(servers.kafka.brokers);
  const history = readHistory(log, books, tenant.budget);
  const limit = BigInt(options.limitNanos);
  const restored =
    options.restore && backup !== undefined && undrained.length === 0
      ? await restoreAndReplay(world, {books, fromMs: replayFrom(log, backup, beganMs)})
      : undefined;
  return {
    seed: options.seed,
    fault: options.fault,
    clients: options.clients,
    limit,
    budget: tenant.budget,
    outcomes: load.outcomes,
    ...{books, history, struck, undrained},
    refusals: falseRefusals({
      refusals: load.outcomes
        .filter(({status}) => status === 429 || status === 402)
        .map(({endedMs, status}) => ({atMs: endedMs, status})),
      ...{history, struck, limit, holdMax},
      samples: watch.samples,
      lags: watch.lags,
      gateways: gatewayCount,
      ttlMs: lives.leaseTtlMs,
    }),
    duplicates: proxy.absorbed(),
    restored: restored?.differences,
    replayed: restored && {before: restored.before, after: restored.after},
    lags: watch.lags,
    most: load.most(),
    unanswered: load.unanswered(),
    seconds: (performance.now() - began) / 1_000,
    output: Object.fromEntries(world.ours.map(({name, output}) => [name, output()])),
  };
};

/** Until every act was done, and the cap is all but reached, or the time is over. */
const blow = async (world: World, options: StormOptions, watch: Watch) => {
  const {seed, clients, rounds, seconds, say} = options;
  const load = startLoad({
    urls: world.gateways.map(({port}) => `http://127.0.0.1:${port}`),
    apiKey: world.tenant.apiKey,
    clients,
    random: randomFrom(seed ^ 0x2545f491),
  });
  const {strike, backup} = striker(world, load);
  const until = performance.now() + seconds * 1_000;
  const struck = await strike(planOf({seed, gateways: gatewayCount, rounds}), say);
  const limit = BigInt(options.limitNanos);
  while (performance.now() < until && load.done() < clients && !isSpent(watch.samples, limit)) {
    await wait(200);
  }
  say(`the load ends: ${load.done()} of ${clients} clients were told that the budget is spent`);
  await load.stop();
  return {load, struck, backup: backup()};
};

/** Until nothing is under way any more; what still is after a while. */
const rest = async ({servers, proxy, ours}: World, {say}: StormOptions): Promise<string[]> => {
  proxy.quiet();
  await Promise.all(ours.map(one => one.listening()));
  const left = await drain({
    url: servers.postgres.url('superuser'),
    brokers: servers.kafka.brokers,
    isQuiet: () => proxy.waiting() === 0,
    maxMs: drainMs,
  });
  say(left.length === 0 ? 'drained' : `not drained: ${left.join(', ')}`);
  return left;
};

/** From the first event that the backup may lack; from the beginning where Kafka was away and did not say which. */
const replayFrom = (log: readonly LogEvent[], {atMs, committed}: Backup, beganMs: number) =>
  (committed ? (instantAt(log, committed) ?? atMs) : beganMs) - replayMarginMs;
