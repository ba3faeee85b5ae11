/**
Books: what the database says after a storm, as its superuser sees it, all of one instant.

In: a URL, the organisation. Out: ledger rows, usage records, sums of the rollups, windows, leases and what is still under way.
Amounts are bigint.
*/
import pg from 'pg';

export type Charge = Readonly<{
  budget: string;
  window: string;
  lease: string;
  unit: string;
  hold: bigint;
  amount: bigint;
  covered: bigint;
  overage: bigint;
}>;

export type Entry = Readonly<{
  request: string;
  entry: 'result' | 'unsettled' | 'correction' | 'external';
  input: bigint;
  cached: bigint;
  output: bigint;
  cost: bigint;
  outcome: string;
  settledMs: number;
  /** Tokens times the price of their version, not rounded: what the cost is reckoned from here once more. */
  millionths: bigint;
  charges: readonly Charge[];
}>;

export type Sums = Readonly<{requests: bigint; input: bigint; output: bigint; cost: bigint}>;
export type Books = Readonly<{
  ledger: readonly Entry[];
  records: ReadonlyMap<
    string,
    Readonly<{input: bigint; output: bigint; cost: bigint; times: bigint}>
  >;
  hourly: Sums;
  daily: Sums;
  windows: ReadonlyArray<
    Readonly<{
      id: string;
      budget: string;
      limit: bigint;
      spent: bigint;
      leased: bigint;
      overage: bigint;
    }>
  >;
  leases: ReadonlyMap<string, Readonly<{granted: bigint; state: string}>>;
  open: number;
  outbox: number;
  deadLetters: number;
}>;

const sums = `coalesce(sum(requests), 0)::text as requests, coalesce(sum(input_tokens), 0)::text as input,
  coalesce(sum(output_tokens), 0)::text as output, coalesce(sum(cost_nanos), 0)::text as cost`;

const statements = {
  ledger: `select l.*, (extract(epoch from settled_at) * 1000)::float8 as settled_ms, p.input_per_million, p.output_per_million
    from ledger l join prices p on p.model_id = l.model_id and p.version = l.price_version where org_id = $1 order by request, entry`,
  records: `select request, sum(input_tokens)::text as input, sum(output_tokens)::text as output, sum(cost_nanos)::text as cost,
    count(*)::text as times from usage_records where org_id = $1 group by request`,
  hourly: `select ${sums} from usage_hourly where org_id = $1`,
  daily: `select ${sums} from usage_daily where org_id = $1`,
  windows: `select id, budget_id as budget, "limit"::text, spent::text, leased::text, overage::text from windows where org_id = $1`,
  leases: `select id, granted::text, state from leases where org_id = $1`,
  waiting: `select (select count(*) from requests)::int as open, (select count(*) from outbox)::int as outbox,
    (select count(*) from dead_letters)::int as letters`,
};

export const connect = async (url: string): Promise<pg.Client> => {
  const client = new pg.Client({connectionString: url, connectionTimeoutMillis: 5_000});
  client.on('error', () => {});
  await client.connect();
  return client;
};

const bigints = <Name extends string>(row: Record<Name, string>, names: readonly Name[]) =>
  Object.fromEntries(names.map(name => [name, BigInt(row[name])])) as Record<Name, bigint>;

export const readBooks = async (url: string, org: string): Promise<Books> => {
  const client = await connect(url);
  try {
    await client.query('begin isolation level repeatable read read only');
    const ask = async (name: Exclude<keyof typeof statements, 'waiting'>) =>
      (await client.query(statements[name], [org])).rows;
    const toSums = ([row]: Record<string, string>[]): Sums =>
      bigints(row as Record<keyof Sums, string>, ['requests', 'input', 'output', 'cost']);
    const {rows: waiting} = await client.query(statements.waiting);
    return {
      ledger: (await ask('ledger')).map(toEntry),
      records: new Map(
        (await ask('records')).map(row => [
          row.request,
          bigints(row, ['input', 'output', 'cost', 'times']),
        ]),
      ),
      hourly: toSums(await ask('hourly')),
      daily: toSums(await ask('daily')),
      windows: (await ask('windows')).map(row => ({
        id: row.id,
        budget: row.budget,
        ...bigints(row, ['limit', 'spent', 'leased', 'overage']),
      })),
      leases: new Map(
        (await ask('leases')).map(row => [
          row.id,
          {granted: BigInt(row.granted), state: row.state},
        ]),
      ),
      open: waiting[0].open,
      outbox: waiting[0].outbox,
      deadLetters: waiting[0].letters,
    };
  } finally {
    await client.end();
  }
};

const toEntry = (row: Record<string, unknown>): Entry => {
  const [input, cached, output] = [
    BigInt(row.input_tokens as string),
    BigInt(row.cached_input_tokens as string),
    BigInt(row.output_tokens as string),
  ];
  return {
    request: row.request as string,
    entry: row.entry as Entry['entry'],
    input,
    cached,
    output,
    cost: BigInt(row.cost_nanos as string),
    outcome: row.outcome as string,
    settledMs: row.settled_ms as number,
    millionths:
      input * BigInt(row.input_per_million as string) +
      output * BigInt(row.output_per_million as string),
    charges: (row.charges as Record<string, string>[]).map(charge => ({
      budget: charge.budget as string,
      window: charge.window as string,
      lease: charge.lease as string,
      unit: charge.unit as string,
      hold: BigInt(charge.hold as string),
      amount: BigInt(charge.amount as string),
      covered: BigInt(charge.covered as string),
      overage: BigInt(charge.overage as string),
    })),
  };
};
