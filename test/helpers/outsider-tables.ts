/**
Outsider's traces: every row of every table, before and after, and what differs.

In: a running Sluice's data folder. Out: the rows of each table as its superuser sees them; of two such dumps the tables that
differ, with how many rows came and went. What may change without anybody's right is named below, and nothing else may.
*/
import assert from 'node:assert/strict';
import type pg from 'pg';
import {asSuperuser} from './books.ts';
import {eventually} from './eventually.ts';

/** Tables that say what belongs to whom, and what it cost. */
export const valuable = [
  ...['orgs', 'projects', 'keys', 'changes', 'revision', 'models', 'endpoints', 'prices'],
  ...['budgets', 'windows', 'top_ups', 'leases', 'requests', 'ledger'],
  ...['usage_records', 'usage_hourly', 'usage_daily'],
];

export type Tables = ReadonlyMap<string, readonly string[]>;
export type Change = Readonly<{
  table: string;
  added: readonly string[];
  removed: readonly string[];
}>;

/** When an endpoint was last looked at: a hint asks for a probe, and what the probe found is compared. */
const withoutColumns: Readonly<Record<string, string>> = {
  'public.models': 'health_at',
  'public.endpoints': 'health_at',
  // A gateway tells that it is alive now and then, whoever asks it or not.
  'public.gateways': 'seen_at',
};

/**
The sink of dead letters takes any letter from anybody, so only the proved ones count; no other goes back into a log. That a key was
refused is remembered whoever holds it, and nothing is reckoned from it.
*/
const onlyRows: Readonly<Record<string, string>> = {
  'public.dead_letters': 'where proved',
  'public.refusals': 'where false',
};

/** A partition's rows are those of its table. The queues and the outbox are dumped too: nothing waits in them by then. */
const tableNames = `
  select format('%I.%I', nspname, relname) as name
  from pg_class join pg_namespace n on n.oid = relnamespace
  where relkind in ('r', 'p') and not relispartition and nspname not in ('pg_catalog', 'information_schema')
    and nspname not like 'pg_toast%' and relpersistence <> 't' order by 1`;

export const dumpTables = (dataFolder: string): Promise<Tables> =>
  asSuperuser(dataFolder, dumpTablesBy);

/** As a superuser. */
export const dumpTablesBy = async (client: pg.ClientBase): Promise<Tables> => {
  await client.query('begin isolation level repeatable read read only');
  const {rows: names} = await client.query<{name: string}>(tableNames);
  const tables = new Map<string, readonly string[]>();
  for (const {name} of names) {
    const {rows} = await client.query<{line: string}>(
      `select (to_jsonb(t) - $1::text)::text as line from ${name} t ${onlyRows[name] ?? ''}`,
      [withoutColumns[name] ?? ''],
    );
    tables.set(name, rows.map(({line}) => line).sort());
  }
  await client.query('commit');
  return tables;
};

/** Rows of the second that the first has not, each as often as it is there. */
const beyond = (lines: readonly string[], others: readonly string[]): string[] => {
  const left = new Map<string, number>();
  for (const line of others) {
    left.set(line, (left.get(line) ?? 0) + 1);
  }
  return lines.filter(line => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
};

/** A changed row is one that went and one that came. */
export const findChanges = (before: Tables, after: Tables): Change[] =>
  [...new Set([...before.keys(), ...after.keys()])].sort().flatMap(table => {
    const old = before.get(table) ?? [];
    const now = after.get(table) ?? [];
    const [added, removed] = [beyond(now, old), beyond(old, now)];
    return added.length + removed.length > 0 ? [{table, added, removed}] : [];
  });

/** Until nothing waits to be relayed, delivered or delivered again. */
export const untilQuiet = (dataFolder: string): Promise<void> =>
  eventually(
    () =>
      asSuperuser(dataFolder, async client => {
        const {rows} = await client.query<{outbox: number; jobs: number}>(
          `select (select count(*)::integer from outbox) as outbox,
                  (select count(*)::integer from pgboss.job where state <= 'active') as jobs`,
        );
        assert.deepEqual(rows[0], {outbox: 0, jobs: 0});
      }),
    {timeoutMs: 120_000, intervalMs: 100},
  );
