/**
Strike: does what the plan says, and keeps what it met.

In: the world, the load, a plan. Out: every act with when it began and when its victim was back, and what a run must have met to
prove something. A gateway is killed only while it is answering; PostgreSQL dies while a transaction of the debit has written and
not committed: a lock of ours on the ledger holds it there.
*/
import {setTimeout as wait} from 'node:timers/promises';
import pg from 'pg';
import type {KeptProcess} from '../process.ts';
import type {Load} from './load.ts';
import {committedOf} from './log.ts';
import type {Act} from './plan.ts';
import {lives} from './terms.ts';
import type {World} from './world.ts';

export type Struck = Readonly<{
  what: string;
  atMs: number;
  /** When whoever was struck served again. */
  backMs: number;
  /** Answers that a killed gateway owed. */
  open?: number;
  /** Whether PostgreSQL had a transaction of a function that had written. */
  inTransaction?: boolean;
}>;

/** Of a busy machine; on an idle one each is a matter of moments. */
const waitMax = {wantedMs: 3_000, openMs: 15_000, transactionMs: 30_000, unsettledMs: 30_000};
const groups = ['budget', 'usage'];
/** Answers of a gateway that is to be frozen: one that is about to end is none that is settled without it. */
const openLeast = 8;

const until = async (isSo: () => boolean | Promise<boolean>, maxMs: number): Promise<boolean> => {
  const end = performance.now() + maxMs;
  while (!(await isSo())) {
    if (performance.now() > end) {
      return false;
    }
    await wait(5);
  }
  return true;
};

/** Resolves when a debit stands in its transaction, having written: it has a transaction id, and waits for our lock. */
const holdDebit = async (url: string): Promise<boolean> => {
  const client = new pg.Client({connectionString: url, connectionTimeoutMillis: 20_000});
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('begin');
    await client.query('lock table ledger in share mode');
    return await until(async () => {
      // A transaction sees the activity of its first look for ever.
      await client.query('select pg_stat_clear_snapshot()');
      const {rows} = await client.query(
        `select from pg_stat_activity where application_name like '%budget%' and backend_xid is not null and wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    }, waitMax.transactionMs);
  } catch {
    return false;
  } finally {
    // It is cut with the server; should that live, the lock goes.
    setTimeout(() => client.end().catch(() => {}), 500).unref();
  }
};

/** Resolves when one of the requests was settled by policy, or when none of them can be any more: each has its result. */
const untilUnsettled = (url: string, requests: readonly string[]) =>
  until(async () => {
    await wait(200);
    const client = new pg.Client({connectionString: url, connectionTimeoutMillis: 10_000});
    client.on('error', () => {});
    try {
      await client.connect();
      const {rows} = await client.query(
        `select bool_or(entry = 'unsettled') as unsettled, count(distinct request)::int as settled
         from ledger where request = any($1::uuid[])`,
        [requests],
      );
      return rows[0].unsettled === true || rows[0].settled === new Set(requests).size;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }, waitMax.unsettledMs);

/** What the backup has read of the log, at least: `sluice events replay` begins there. */
export type Backup = Readonly<{atMs: number; committed: ReadonlyMap<number, number> | undefined}>;

export const striker = (world: World, load: Load) => {
  const {servers, gateways, helpers} = world;
  const gatewayOf = (index: number) =>
    gateways[index % gateways.length] as (typeof gateways)[number];
  const struckNow = new Set<number>();
  const openAt = (index: number) => [...(load.open[index] ?? [])];
  let backup: Backup | undefined;
  /** Two deaths of one server do not meet: each wants to start it. */
  let servedBefore: Promise<unknown> = Promise.resolve();
  const afterOthers = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const mine = servedBefore.then(work);
    servedBefore = mine.catch(() => {});
    return mine;
  };

  const killed = async (victim: KeptProcess) => {
    await victim.kill();
    await victim.listening();
  };

  /** The one that the plan names; where it has too little to lose for a while, the one that has the most. */
  const victimOf = async (index: number, least: number): Promise<number> => {
    const wanted = index % gateways.length;
    const isFull = () => !struckNow.has(wanted) && openAt(wanted).length >= least;
    if (!(await until(isFull, waitMax.wantedMs))) {
      const free = () => gateways.flatMap((_, at) => (struckNow.has(at) ? [] : [at]));
      const fullest = () =>
        free().reduce(
          (most, at) => (openAt(at).length > openAt(most).length ? at : most),
          free()[0] ?? 0,
        );
      await until(() => openAt(fullest()).length >= least, waitMax.openMs);
      return fullest();
    }
    return wanted;
  };

  const onGateway = async <Value>(
    index: number,
    least: number,
    work: (victim: KeptProcess, left: readonly string[]) => Promise<Value>,
  ): Promise<Value> => {
    const at = await victimOf(index, least);
    struckNow.add(at);
    try {
      return await work(gatewayOf(at).process, openAt(at));
    } finally {
      struckNow.delete(at);
    }
  };

  const killGateway = (index: number) =>
    onGateway(index, 1, async (victim, left) => {
      const atMs = Date.now();
      await killed(victim);
      return {what: 'kill -9 of a gateway', atMs, open: left.length};
    });

  /** For twice a lease's life at least, and until what it left was settled without it. */
  const freeze = (index: number) =>
    onGateway(index, openLeast, async (victim, left) => {
      const atMs = Date.now();
      victim.signal('SIGSTOP');
      const unsettled = untilUnsettled(servers.postgres.url('superuser'), left);
      await Promise.all([wait(2 * lives.leaseTtlMs), unsettled]);
      victim.signal('SIGCONT');
      return {what: 'freeze of a gateway', atMs, open: left.length};
    });

  const restartPostgres = async (awayMs: number, backUp: boolean) => {
    const committed = backUp ? await committedOf(servers.kafka.brokers, groups) : undefined;
    await Promise.all([helpers.budget.listening(), helpers['source-budget'].listening()]);
    // From here on the debit is held, and with it whoever wants its window.
    const atMs = Date.now();
    const inTransaction = await holdDebit(servers.postgres.url('superuser'));
    await servers.postgres.kill();
    if (backUp) {
      backup = {atMs: Date.now(), committed};
      await servers.postgres.backUp();
    }
    await wait(awayMs);
    await servers.postgres.start();
    return {what: 'kill -9 of PostgreSQL', atMs, inTransaction};
  };

  const restart = async (
    what: string,
    server: {kill(): Promise<void>; start(): Promise<void>},
    awayMs: number,
  ) => {
    const atMs = Date.now();
    await server.kill();
    await wait(awayMs);
    await server.start();
    return {what, atMs};
  };

  const act = async (deed: Act): Promise<Omit<Struck, 'backMs'>> => {
    const atMs = Date.now();
    switch (deed.kind) {
      case 'kill-gateway':
        return killGateway(deed.gateway);
      case 'freeze-gateway':
        return freeze(deed.gateway);
      case 'step-clock':
        gatewayOf(deed.gateway).process.send({stepMs: deed.byMs});
        return {what: 'step of a clock', atMs};
      case 'kill':
        await killed(helpers[deed.who]);
        return {what: `kill -9 of ${deed.who}`, atMs};
      case 'restart-kafka':
        return afterOthers(() => restart('kill -9 of Kafka', servers.kafka, deed.awayMs));
      case 'restart-redis':
        return afterOthers(() => restart('kill -9 of Redis', servers.redis, deed.awayMs));
      case 'restart-postgres':
        return afterOthers(() => restartPostgres(deed.awayMs, deed.backUp));
    }
  };

  return {
    /** Each act at its time, whatever became of the one before. */
    async strike(plan: readonly Act[], say: (line: string) => void): Promise<Struck[]> {
      const beganMs = Date.now();
      return Promise.all(
        plan.map(async deed => {
          await wait(deed.atMs);
          const struck = {...(await act(deed)), backMs: Date.now()};
          const at = ((struck.atMs - beganMs) / 1_000).toFixed(1);
          const {what, open, inTransaction} = struck;
          const more = [
            open === undefined ? '' : `, ${open} answers open`,
            inTransaction ? ', in mid-transaction' : '',
            `, back after ${((struck.backMs - struck.atMs) / 1_000).toFixed(1)} s`,
          ].join('');
          say(`${at} s: ${what}${more}`);
          return struck;
        }),
      );
    },
    backup: () => backup,
  };
};
