/**
Holds: what of a gateway speaks to PostgreSQL, several times in this process, without its HTTP, its log and its models.

In: a database, keys, a rate. Out: how many requests got their holds, how long those waited that had to. It asks PostgreSQL for
what the same gateways would at the same rate, and takes a tenth of their processor time: for machines that are busy.
*/
import {watchChanges} from '../../../events/changes.ts';
import {createPool} from '../../../events/database.ts';
import {limits} from '../../../events/limits.ts';
import {createLogger} from '../../../events/telemetry.ts';
import {uuidv7} from '../../../events/uuid.ts';
import {createPrincipalLoader} from '../../../functions/auth/load-principal.ts';
import {createPrincipals} from '../../../functions/auth/principals.ts';
import {createLeaseBook} from '../../../functions/budget/leases/lease-book.ts';
import {besideChanges, createLeaseWork} from '../../../functions/budget/leases/lease-work.ts';
import {startSweeping} from '../../../functions/gateway/log/sweep.ts';
import {createDraw} from './draw.ts';
import type {Count, Plan} from './load.ts';

/** As the requests of `bench.ts`: a prompt of 1 KiB, 32 tokens out, priced as `seed.ts` has it, settled after 150 ms. */
const demand = {
  price: {
    free: false,
    inputPerMillion: 200_000_000,
    outputPerMillion: 600_000_000,
    inputGpuMsPerMillion: 0,
    outputGpuMsPerMillion: 0,
  },
  promptTokens: 1_000,
  copies: 1,
  maxTokens: 32,
  minTokens: 1,
};
const costNanos = 70_000;
const requestMs = 150;

const startOne = async (databaseUrl: string) => {
  const logger = createLogger({name: 'bench', level: 'silent'});
  const pool = createPool({databaseUrl, name: 'gateway', connectionsMax: 6});
  const gateway = uuidv7();
  const principals = createPrincipals({
    load: createPrincipalLoader(pool),
    environment: 'development',
  });
  const book = createLeaseBook({
    work: createLeaseWork({
      client: pool,
      gateway,
      environment: 'development',
      ttlMs: limits.leaseTtlMs,
    }),
    ttlMs: limits.leaseTtlMs,
    marginMs: limits.leaseMarginMs,
    waitMs: limits.leaseWaitMs,
  });
  const changes = watchChanges({
    databaseUrl,
    onChanges: principals.onChanges,
    beside: besideChanges(gateway, book.recall),
  });
  await changes.start();
  const stopSweeping = startSweeping({pool, limits, logger});
  return {
    principals,
    async hold(key: string): Promise<string> {
      const verdict = await principals.verify(key);
      if ('denied' in verdict) {
        return verdict.denied;
      }
      const taken = await book.acquire({...demand, budgets: verdict.principal.budgets});
      if ('refused' in taken) {
        return taken.refused;
      }
      setTimeout(() => taken.settle(taken.holds.map(() => costNanos)), requestMs);
      return '200';
    },
    async stop() {
      stopSweeping();
      await changes.close();
      await book.close();
      await pool.end();
    },
  };
};

export const startHolds = async (databaseUrl: string, gateways: number) => {
  const all = await Promise.all(Array.from({length: gateways}, () => startOne(databaseUrl)));
  const of = (index: number) => all[index % all.length] as (typeof all)[number];
  const fresh = (): Count => ({sent: 0, statuses: {}, latenciesMs: []});
  let count = fresh();
  let timer: NodeJS.Timeout | undefined;
  const ask = async (index: number, key: string) => {
    const startedMs = performance.now();
    count.sent += 1;
    const status = await of(index).hold(key);
    count.statuses[status] = (count.statuses[status] ?? 0) + 1;
    count.latenciesMs.push(performance.now() - startedMs);
  };
  return {
    /** Every key known to every gateway. */
    async warm(keys: readonly string[], inFlight: number) {
      let next = 0;
      const worker = async () => {
        for (let index = next++; index < keys.length * all.length; index = next++) {
          await of(index).principals.verify(keys[Math.floor(index / all.length)]);
        }
      };
      await Promise.all(Array.from({length: inFlight}, worker));
    },
    start({keys, exponent, seed, rate}: Pick<Plan, 'keys' | 'exponent' | 'seed' | 'rate'>) {
      const draw = createDraw(keys.length, exponent, seed);
      const startedMs = performance.now();
      let sent = 0;
      timer = setInterval(() => {
        const due = ((performance.now() - startedMs) * rate) / 1_000;
        for (; sent < due; sent++) {
          void ask(sent, keys[draw()] as string);
        }
      }, 1);
    },
    mark() {
      const marked = count;
      count = fresh();
      return marked;
    },
    async stop() {
      clearInterval(timer);
      await Promise.all(all.map(({stop}) => stop()));
    },
  };
};
