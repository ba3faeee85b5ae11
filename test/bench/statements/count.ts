/**
Count: the statements that PostgreSQL ran for the gateways' role, by what they are for.

In: a superuser's connection to a server with pg_stat_statements. Out: calls and milliseconds of the server by name. Statements
inside functions are not counted apart: what a round trip costs is counted, and a round trip is one statement.
*/
import type pg from 'pg';

export type Statements = Readonly<Record<string, Readonly<{calls: number; ms: number}>>>;

/** By a word that no other has. The first that fits. */
const names: readonly (readonly [RegExp, string])[] = [
  [/lease_work/, 'lease work'],
  [/begin_fences/, 'sweep'],
  [/left join changes/, 'changes'],
  [/from keys k/, 'principals'],
  [/from models m/, 'models'],
  [/insert into outbox/, 'outbox'],
  [/^\s*listen/i, 'listen'],
];

const nameOf = (query: string) =>
  names.find(([pattern]) => pattern.test(query))?.[1] ?? query.replace(/\s+/g, ' ').slice(0, 60);

export const resetStatements = (client: Pick<pg.ClientBase, 'query'>) =>
  client.query('select pg_stat_statements_reset()');

export const readStatements = async (
  client: Pick<pg.ClientBase, 'query'>,
  role: string,
): Promise<Statements> => {
  const {rows} = await client.query<{query: string; calls: number; ms: number}>(
    `select query, calls::float8 as calls, total_exec_time as ms
     from pg_stat_statements where userid = $1::regrole`,
    [role],
  );
  const found: Record<string, {calls: number; ms: number}> = {};
  for (const {query, calls, ms} of rows) {
    const name = nameOf(query);
    const sum = found[name] ?? {calls: 0, ms: 0};
    found[name] = {calls: sum.calls + calls, ms: sum.ms + ms};
  }
  return found;
};
