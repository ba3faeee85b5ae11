/**
Worker: a function's own statements fed from memory by one client, or the raw insert of the same rows, in a process of its own.

In: WORKER, JSON: what, of which function, on which database, how much; over the channel, the word to begin. Out: how long the
measured part took and how much CPU. Events are made, cut into batches and read once beforehand, and nothing but the work is timed.
*/
import {createPool} from '../../../events/database.ts';
import type {Event} from '../../../events/event.ts';
import {createMetrics} from '../../../events/metrics.ts';
import {debit} from '../../../functions/budget/debit.ts';
import {createPostgresStore as createBudgetStore} from '../../../functions/budget/store-postgres.ts';
import {aggregate} from '../../../functions/usage/aggregate.ts';
import {createPostgresStore as createUsageStore} from '../../../functions/usage/store-postgres.ts';
import {batchesOf} from './batches.ts';
import {rawInsert} from './raw.ts';
import {type Skew, trafficOf} from './traffic.ts';

export type FunctionName = 'budget' | 'usage';
export type WorkerTask = Readonly<{
  contender: 'memory' | 'raw';
  of: FunctionName;
  databaseUrl: string;
  skew: Skew;
  warm: number;
  requests: number;
}>;
export type WorkerResult = Readonly<{requests: number; elapsedMs: number; cpuMs: number}>;

const {contender, of, databaseUrl, skew, warm, requests} = JSON.parse(
  process.env.WORKER ?? '{}',
) as WorkerTask;
const pool = createPool({databaseUrl, name: 'bench', connectionsMax: 1, pipeline: true});

const memory: Readonly<Record<FunctionName, (events: readonly Event[]) => Promise<void>>> = {
  budget: debit({store: createBudgetStore({pool})}),
  usage: aggregate({store: createUsageStore(pool), metrics: createMetrics()}),
};
const handle = contender === 'memory' ? memory[of] : rawInsert(of, pool);

const isResult = ({type}: Event) => type === 'dev.sluice.inference.finished.v1';

/** Read from JSON, as a function has them. */
const batches = batchesOf(trafficOf(warm + requests, skew)).map(
  batch => JSON.parse(JSON.stringify(batch)) as Event[],
);

const run = async (): Promise<WorkerResult> => {
  let done = 0;
  let start = {done: 0, at: 0, cpu: process.cpuUsage()};
  for (const batch of batches) {
    if (start.at === 0 && done >= warm) {
      start = {done, at: performance.now(), cpu: process.cpuUsage()};
      process.send?.({warm: true});
    }
    await handle(batch);
    done += batch.filter(isResult).length;
  }
  const {user, system} = process.cpuUsage(start.cpu);
  return {
    requests: done - start.done,
    elapsedMs: performance.now() - start.at,
    cpuMs: (user + system) / 1_000,
  };
};

process.once('message', async () => {
  process.send?.(await run());
});
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', async () => {
  await pool.end();
  process.exit(0);
});
process.send?.({listening: 0});
