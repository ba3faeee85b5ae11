/**
Books: what a running Sluice's database says of one organisation, read as its superuser past every function.

In: a data folder. Out: ledger and usage records by request, sums of the rollups, windows, and what is still under way. A
connection each time, because the tests end PostgreSQL under it.
*/
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import pg from 'pg';
import {eventually} from './eventually.ts';

/** Of one request: in the ledger the sum of its entries, of which only corrections repeat it. */
export type Settled = Readonly<{
  request: string;
  entries: number;
  inputTokens: number;
  outputTokens: number;
  costNanos: number;
}>;
export type WindowOf = Readonly<{
  budget: string;
  unit: string;
  limit: number;
  spent: number;
  leased: number;
  overage: number;
}>;
export type Books = Readonly<{
  ledger: readonly Settled[];
  records: readonly Settled[];
  hourly: Omit<Settled, 'request'>;
  daily: Omit<Settled, 'request'>;
  windows: readonly WindowOf[];
  /** What the ledger says each budget was charged. */
  charged: Readonly<Record<string, number>>;
  /** Requests that are not settled, events of the outbox and of the queues: of all organisations, or on a cluster of this one. */
  open: number;
  deadLetters: number;
}>;

export const connectTo = async (dataFolder: string): Promise<pg.Client> => {
  const {superuserPassword: password} = JSON.parse(
    readFileSync(join(dataFolder, 'secrets.json'), 'utf8'),
  ) as {superuserPassword: string};
  const mark = readFileSync(join(dataFolder, 'postgres', 'postmaster.pid'), 'utf8').split('\n');
  const client = new pg.Client({
    host: '127.0.0.1',
    port: Number(mark[3]),
    user: 'postgres',
    password,
    database: 'sluice',
    connectionTimeoutMillis: 5_000,
    query_timeout: 10_000,
  });
  client.on('error', () => {});
  await client.connect();
  return client;
};

export const asSuperuser = async <Result>(
  dataFolder: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> => {
  const client = await connectTo(dataFolder);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

const settledBy = (entries: string, group: string) => `
  ${entries} as entries, coalesce(sum(input_tokens), 0)::float8 as "inputTokens",
  coalesce(sum(output_tokens), 0)::float8 as "outputTokens", coalesce(sum(cost_nanos), 0)::float8 as "costNanos" ${group}`;

const statements = {
  ledger: `select request, ${settledBy("(count(*) filter (where entry <> 'correction'))::float8", 'from ledger where org_id = $1 group by request order by request')}`,
  records: `select request, ${settledBy('count(*)::float8', 'from usage_records where org_id = $1 group by request order by request')}`,
  hourly: `select ${settledBy('coalesce(sum(requests), 0)::float8', 'from usage_hourly where org_id = $1')}`,
  daily: `select ${settledBy('coalesce(sum(requests), 0)::float8', 'from usage_daily where org_id = $1')}`,
  windows: `select w.budget_id as budget, b.unit, w."limit"::float8, w.spent::float8, w.leased::float8, w.overage::float8
    from windows w join budgets b on b.id = w.budget_id where w.org_id = $1 order by b.created_at`,
  charged: `select c ->> 'budget' as budget, sum((c ->> 'amount')::numeric)::float8 as amount
    from ledger, jsonb_array_elements(charges) c where org_id = $1 group by 1`,
  open: `select ((select count(*) from requests) + (select count(*) from outbox)
    + (select count(*) from pgboss.job where state <= 'active'))::float8 as open,
    (select count(*) from dead_letters)::float8 as letters where $1::uuid is not null`,
  /** On a cluster others have organisations too, and Brokers tell nobody what waits in them. */
  openOfOne: `select ((select count(*) from requests where org_id = $1)
    + (select count(*) from outbox where org_id = $1))::float8 as open,
    (select count(*) from dead_letters where org_id = $1)::float8 as letters`,
};

export const readBooksBy = async (
  client: pg.ClientBase,
  org: string,
  under: 'open' | 'openOfOne' = 'open',
): Promise<Books> => {
  const ask = async <Row>(text: string) => (await client.query(text, [org])).rows as Row[];
  await client.query('begin isolation level repeatable read read only');
  const charged = await ask<{budget: string; amount: number}>(statements.charged);
  const [waiting] = await ask<{open: number; letters: number}>(statements[under]);
  const books = {
    ledger: await ask<Settled>(statements.ledger),
    records: await ask<Settled>(statements.records),
    hourly: (await ask<Settled>(statements.hourly))[0] as Settled,
    daily: (await ask<Settled>(statements.daily))[0] as Settled,
    windows: await ask<WindowOf>(statements.windows),
    charged: Object.fromEntries(charged.map(({budget, amount}) => [budget, amount])),
    open: waiting?.open ?? 0,
    deadLetters: waiting?.letters ?? 0,
  };
  await client.query('commit');
  return books;
};

export const readBooks = (dataFolder: string, org: string): Promise<Books> =>
  asSuperuser(dataFolder, client => readBooksBy(client, org));

const sumOf = (rows: readonly Settled[]) => ({
  entries: rows.reduce((sum, row) => sum + row.entries, 0),
  inputTokens: rows.reduce((sum, row) => sum + row.inputTokens, 0),
  outputTokens: rows.reduce((sum, row) => sum + row.outputTokens, 0),
  costNanos: rows.reduce((sum, row) => sum + row.costNanos, 0),
});

/** Throws unless ledger, records, rollups and windows say the same, every request once, and nothing is under way. */
export const assertWhole = (books: Books) => {
  assert.equal(books.open, 0, 'open requests, events or jobs');
  assert.deepEqual(
    books.ledger.filter(({entries}) => entries !== 1),
    [],
    'settled once',
  );
  assert.deepEqual(books.records, books.ledger, 'records and ledger');
  assert.deepEqual(books.hourly, sumOf(books.ledger), 'hourly rollup');
  assert.deepEqual(books.daily, sumOf(books.ledger), 'daily rollup');
  for (const {budget, spent, overage} of books.windows) {
    assert.equal(spent + overage, books.charged[budget] ?? 0, 'window and ledger');
  }
  assert.equal(books.deadLetters, 0, 'dead letters');
};

/** Waits until the books are whole; `free`: and until no lease holds anything. */
export const wholeBooks = (
  dataFolder: string,
  org: string,
  {timeoutMs = 60_000, free = false}: {timeoutMs?: number; free?: boolean} = {},
): Promise<Books> =>
  eventually(
    async () => {
      const books = await readBooks(dataFolder, org);
      assertWhole(books);
      if (free) {
        assert.deepEqual(
          books.windows.filter(({leased}) => leased !== 0),
          [],
          'leased',
        );
      }
      return books;
    },
    {timeoutMs, intervalMs: 100},
  );
