/**
Measure: one contender of a row, once, on a database and a topic of its own.

In: the servers, the row. Out: requests a second and CPU a request of every process that took part, or an error where the books do
not say exactly what the events say.
*/
import {once} from 'node:events';
import {setTimeout as wait} from 'node:timers/promises';
import {startChild} from '../child.ts';
import {cpuMsOf} from '../cpu.ts';
import {startChain} from './chain.ts';
import type {Database} from './databases.ts';
import {measureLag} from './lag.ts';
import {type LagRow, lagTraffic, type Row} from './rows.ts';
import type {Servers} from './servers.ts';
import {costNanos, trafficOf} from './traffic.ts';
import type {WorkerResult, WorkerTask} from './worker.ts';

export type Sample = Readonly<{
  perSecond: number;
  /** Microseconds of user and system time a request, by process. */
  cpu: Readonly<Record<string, number>>;
}>;
export type Contender = 'chain' | 'memory' | 'raw';
type Amount = Readonly<{warm: number; requests: number; profile?: string | undefined}>;

const pollMs = 25;
const drainMaxMs = 300_000;

export const measure = async (
  servers: Servers,
  row: Row,
  contender: Contender,
  amount: Amount,
): Promise<Sample> => {
  const database = await servers.databases.create(servers.nextName());
  try {
    const sample =
      contender === 'chain'
        ? await measureChain(servers, row, database, amount)
        : await measureWorker(servers, row, database, {...amount, contender});
    await checkBooks(row, database, amount.warm + amount.requests, contender);
    return sample;
  } finally {
    await database.drop();
  }
};

const perRequest = (cpuMs: Readonly<Record<string, number>>, requests: number) =>
  Object.fromEntries(Object.entries(cpuMs).map(([name, ms]) => [name, (ms * 1_000) / requests]));

const measureWorker = async (
  {databases}: Servers,
  {of, skew}: Row,
  database: Database,
  {contender, warm, requests, profile}: Amount & {contender: 'memory' | 'raw'},
): Promise<Sample> => {
  const task: WorkerTask = {contender, of, skew, warm, requests, databaseUrl: database.systemUrl};
  const child = await startChild({
    program: 'test/bench/debit/worker.ts',
    environment: {WORKER: JSON.stringify(task)},
    nodeArguments: profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`],
  });
  try {
    const ended = once(child.process, 'exit').then(([code]): never => {
      throw new Error(`the worker (${contender}, ${of}) ended with ${code}`);
    });
    ended.catch(() => {});
    child.process.send({});
    await Promise.race([once(child.process, 'message'), ended]);
    const before = databases.cpuMs();
    const [result] = await Promise.race([once(child.process, 'message'), ended]);
    const {requests: done, elapsedMs, cpuMs} = result as WorkerResult;
    const postgres = databases.cpuMs() - before;
    return {
      perSecond: (done * 1_000) / elapsedMs,
      cpu: perRequest({client: cpuMs, postgres}, done),
    };
  } finally {
    await child.stop();
  }
};

const measureChain = async (
  {databases, kafka, topics, log}: Servers,
  {of, skew}: Row,
  database: Database,
  {warm, requests, profile}: Amount,
): Promise<Sample> => {
  const topic = await topics.create(`bench.${of}.${Date.now()}`);
  await topic.fill(trafficOf(warm + requests, skew));
  const chain = await startChain({
    of,
    topic: topic.name,
    brokers: kafka.brokers,
    databaseUrl: database.systemUrl,
    log,
    profile,
  });
  const look = async () => ({
    requests: await chain.committed(),
    at: performance.now(),
    cpuMs: {
      function: cpuMsOf(chain.function.pid),
      source: cpuMsOf(chain.source.pid),
      postgres: databases.cpuMs(),
      kafka: cpuMsOf(kafka.pid()),
    } as Record<string, number>,
  });
  const until = async (requests: number) => {
    const giveUpAt = performance.now() + drainMaxMs;
    for (;;) {
      const now = await look();
      if (now.requests >= requests) {
        return now;
      }
      if (performance.now() > giveUpAt) {
        throw new Error(`${of} has committed ${now.requests} of ${requests} requests`);
      }
      await wait(pollMs);
    }
  };
  try {
    const begin = await until(warm);
    const end = await until(warm + requests);
    const done = end.requests - begin.requests;
    const cpuMs = Object.fromEntries(
      Object.entries(end.cpuMs).map(([name, ms]) => [name, ms - (begin.cpuMs[name] as number)]),
    );
    return {perSecond: (done * 1_000) / (end.at - begin.at), cpu: perRequest(cpuMs, done)};
  } finally {
    await chain.stop();
    await topic.remove();
  }
};

export const measureLagRow = async (
  {databases, kafka, topics, log, nextName}: Servers,
  {of}: LagRow,
): Promise<number[]> => {
  const database = await databases.create(nextName());
  const topic = await topics.create(`bench.${of}.${Date.now()}`);
  try {
    const {rate, seconds, skew} = lagTraffic;
    const chain = await startChain({
      of,
      topic: topic.name,
      brokers: kafka.brokers,
      databaseUrl: database.systemUrl,
      log,
    });
    try {
      const events = trafficOf(rate * (seconds + 60), skew);
      const {client} = database;
      return await measureLag({of, send: topic.send, client, events, rate, seconds});
    } finally {
      await chain.stop();
    }
  } finally {
    await topic.remove();
    await database.drop();
  }
};

const booksOf = {
  budget: `select (select count(*) from ledger)::int as rows, (select sum(cost_nanos) from ledger)::text as cost,
             (select sum(spent) from windows)::text as spent, (select count(*) from requests)::int as left,
             (select sum(open) from leases)::text as open`,
  usage: `select (select count(*) from usage_records)::int as rows, (select sum(cost_nanos) from usage_records)::text as cost,
            (select sum(cost_nanos) from usage_hourly)::text as spent, 0 as left, '0' as open`,
} as const;

/** A figure of a run that lost or doubled something would be worth nothing. */
const checkBooks = async (
  {of}: Row,
  {client}: Database,
  requests: number,
  contender: Contender,
) => {
  const {rows} = await client.query(booksOf[of]);
  const cost = String(BigInt(requests) * BigInt(costNanos));
  const spent = of === 'budget' ? String(BigInt(cost) * 3n) : cost;
  const expected = {rows: requests, cost, spent, left: 0, open: '0'};
  const names = Object.keys(expected) as (keyof typeof expected)[];
  const wrong = names.filter(
    name =>
      // The raw insert knows its own rows only.
      (contender !== 'raw' || name === 'rows' || name === 'cost') &&
      rows[0][name] !== expected[name],
  );
  if (wrong.length > 0) {
    throw new Error(
      `${of}, ${contender}: ${wrong.map(name => `${name} is ${rows[0][name]}, expected ${expected[name]}`).join('; ')}`,
    );
  }
};
