/** Dependencies: what the routes of every resource are made of. */
import type {Request} from 'express';
import type pg from 'pg';
import type {Contract} from './contract.ts';
import type {Tenancy} from './tenancy.ts';

export type Dependencies = Readonly<{
  pool: pg.Pool;
  contract: Contract;
  /** What is done for a request. */
  tenancy: (request: Request) => Tenancy;
  now: () => Date;
  newId: () => string;
}>;
