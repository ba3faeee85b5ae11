/** Lease work: what the lease book asks of the store, all of it at once; and that statement on PostgreSQL. */
import type {Queryable} from '../../../events/database.ts';

export type LeaseWork = Readonly<{
  returns: ReadonlyArray<{lease: string; total: number}>;
  renewals: readonly string[];
  grants: ReadonlyArray<{budget: string; slice: number}>;
}>;
export type LeaseAnswer = Readonly<{
  grants: ReadonlyArray<{
    budget: string;
    window: string;
    lease: string | null;
    granted: number | null;
    /** Limit less what was charged, at most a safe integer. */
    remaining: number;
    /** Of it, what nobody has leased. */
    available: number;
    /** Until the window ends; null: never. */
    endsInMs: number | null;
  }>;
  renewals: ReadonlyArray<{lease: string; granted: number; recalled: boolean}>;
  gateways: number;
}>;

export const createLeaseWork =
  ({
    client,
    gateway,
    environment,
    ttlMs,
  }: {
    client: Queryable;
    gateway: string;
    environment: string;
    ttlMs: number;
  }) =>
  async (work: LeaseWork): Promise<LeaseAnswer> => {
    const {rows} = await client.query<{answer: LeaseAnswer}>({
      name: 'lease-work',
      text: 'select lease_work($1, $2, $3, $4) as answer',
      values: [gateway, environment, ttlMs, JSON.stringify(work)],
    });
    return (rows[0] as {answer: LeaseAnswer}).answer;
  };
