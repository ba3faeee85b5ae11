/**
Pools: kept-alive connections to model servers, one pool for all bases of an origin.

In: an endpoint's base. Out: its pool, and what goes before a path there. Endpoints come and go for as long as a gateway runs: beyond a
number of bases the oldest is forgotten. Its pool closes when what runs there has ended, and is made anew where it is still used.
*/
import {Pool} from 'undici';
import type {Limits} from '../../../events/limits.ts';
import {Connection} from './connection.ts';
import {createPlainPools, type Plain} from './plain/pool.ts';

/** `plain`: there for what needs no TLS. */
export type Base = Readonly<{pool: Pool; plain: Plain | undefined; origin: string; prefix: string}>;
type Opened = Pick<Base, 'pool' | 'plain'>;

export const createPools = ({
  limits,
  basesMax = 1_000,
}: {
  limits: Pick<Limits, 'firstByteMs' | 'idleUpstreamMs'>;
  basesMax?: number;
}) => {
  const pools = new Map<string, Opened>();
  const plainPools = createPlainPools({limits});
  /** By its text: reading a URL costs as much as the rest of a dispatch of ours. */
  const bases = new Map<string, Base>();

  const newPool = (origin: string) =>
    new Pool(origin, {
      pipelining: 1,
      // One call a connection: who ends what it writes has ended this call and no other (`connection.ts`).
      allowH2: false,
      connect: {timeout: 5_000},
      headersTimeout: limits.firstByteMs,
      bodyTimeout: limits.idleUpstreamMs,
      // Shorter than uvicorn's and Node's 5 s: who writes while the server closes has a call that broke.
      keepAliveTimeout: 4_000,
      factory: (base, options) => new Connection(base, options),
    });

  const open = (origin: string): Opened => ({
    pool: newPool(origin),
    plain: origin.startsWith('http:') ? plainPools.open(new URL(origin)) : undefined,
  });

  const forgetOldest = () => {
    const [text, {pool, plain, origin}] = bases.entries().next().value as [string, Base];
    bases.delete(text);
    if (![...bases.values()].some(base => base.pool === pool)) {
      pools.delete(origin);
      pool.close().catch(() => {});
      plain?.retire();
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
        const opened = pools.get(origin) ?? open(origin);
        pools.set(origin, opened);
        base = {...opened, origin, prefix: pathname.replace(/\/+$/, '').replace(/\/v1$/, '')};
        bases.set(text, base);
      }
      return base;
    },
    async close() {
      plainPools.close();
      await Promise.all([...pools.values()].map(({pool}) => pool.destroy()));
    },
  };
};
