/** Dependencies: what the routes of every resource are made of. */
import type pg from 'pg';
import type {Contract} from './contract.ts';
import type {Tenancy} from './tenancy.ts';

export type Dependencies = Readonly<{
  pool: pg.Pool;
  contract: Contract;
  tenancy: Tenancy;
  now: () => Date;
  newId: () => string;
}>;
