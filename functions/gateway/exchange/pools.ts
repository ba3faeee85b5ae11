/**
Pools: kept-alive connections to model servers, one pool for all bases of an origin.

In: an endpoint's base. Out: its pool, and what goes before a path there. Endpoints come and go for as long as a gateway runs: beyond a
number of bases the oldest is forgotten. Its pool closes when what runs there has ended, and is made anew where it is still used.
*/
import {Pool} from 'undici';
import type {Limits} from '../../../events/limits.ts';
import {Connection} from './connection.ts';

export type Base = Readonly<{pool: Pool; origin: string; prefix: string}>;

export const createPools = ({
  limits,
  basesMax = 1_000,
}: {
  limits: Pick<Limits, 'firstByteMs' | 'idleUpstreamMs'>;
  basesMax?: number;
}) => {
  const pools = new Map<string, Pool>();
  /** By its text: reading a URL costs as much as the rest of a dispatch of ours. */
  const bases = new Map<string, Base>();

  const newPool = (origin: string) =>
    new Pool(origin, {
      pipelining: 1,
      connect: {timeout: 5_000},
      headersTimeout: limits.firstByteMs,
      bodyTimeout: limits.idleUpstreamMs,
      // Shorter than uvicorn's and Node's 5 s: who writes while the server closes has a call that broke.
      keepAliveTimeout: 4_000,
      factory: (base, options) => new Connection(base, options),
    });

  const forgetOldest = () => {
    const [text, {pool, origin}] = bases.entries().next().value as [string, Base];
    bases.delete(text);
    if (![...bases.values()].some(base => base.pool === pool)) {
      pools.delete(origin);
      pool.close().catch(() => {});
    }
  };

  return {
    baseOf(text: string): Base {
      let base = bases.get(text);
      if (!base) {
        const {origin, pathname} = new URL(text);
        if (bases.size >= basesMax) {
          forgetOldest();
        }
        const pool = pools.get(origin) ?? newPool(origin);
        pools.set(origin, pool);
        base = {pool, origin, prefix: pathname.replace(/\/+$/, '').replace(/\/v1$/, '')};
        bases.set(text, base);
      }
      return base;
    },
    async close() {
      await Promise.all([...pools.values()].map(pool => pool.destroy()));
    },
  };
};
