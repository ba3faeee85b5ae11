/** Lease work: the lease book's one statement, on PostgreSQL. The rules of a grant are those of the SQL function. */
import type {Queryable} from '../../events/database.ts';
import type {LeaseAnswer, LeaseWork} from './lease-book.ts';

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
