/**
Database: pools and transactions on PostgreSQL.

Integers of 8 bytes come back as bigint, because a window's total can exceed a safe integer; dates as texts.
*/
import pg from 'pg';

export type Queryable = Pick<pg.ClientBase, 'query'>;
export type Transaction = <Result>(
  work: (client: pg.PoolClient) => Promise<Result>,
) => Promise<Result>;

const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === pg.types.builtins.INT8) {
      return BigInt;
    }
    return oid === pg.types.builtins.DATE ? String : pg.types.getTypeParser(oid, format);
  }) as typeof pg.types.getTypeParser,
};

/**
A pool that connects on first use. `statementTimeoutMs` bounds every statement, so that a database that hangs is an error
and not a silence; `idleTransactionMs` every pause within a transaction, so that a process that is frozen in one (a suspended
machine, a stopped container) does not keep its locks from everybody else: PostgreSQL ends its connection.
*/
export const createPool = ({
  databaseUrl,
  name,
  connectionsMax = 4,
  connectTimeoutMs = 5_000,
  statementTimeoutMs = 30_000,
  idleTransactionMs = 10_000,
  pipeline = false,
  onError = () => {},
}: {
  databaseUrl: string;
  name: string;
  connectionsMax?: number;
  connectTimeoutMs?: number;
  statementTimeoutMs?: number;
  idleTransactionMs?: number;
  /** Statements of `inTurn` are sent without waiting for the answers to those before. */
  pipeline?: boolean;
  /** An idle connection broke; the next query opens another. */
  onError?: (error: Error) => void;
}): pg.Pool => {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    application_name: `sluice-${name}`,
    max: connectionsMax,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + 1_000,
    idle_in_transaction_session_timeout: idleTransactionMs,
    pipeline,
    types,
  });
  pool.on('error', onError);
  return pool;
};

/** A superuser passes every row-level policy, so a function that was given one refuses to start. */
export const refuseSuperuser = async (pool: Queryable) => {
  const {rows} = await pool.query<{name: string; unbound: boolean}>(
    'select rolname as name, rolsuper or rolbypassrls as unbound from pg_roles where rolname = current_user',
  );
  if (rows[0]?.unbound) {
    throw new Error(
      `DATABASE_URL names the role ${rows[0].name}, which no row-level policy binds; use one of the roles of the migrations`,
    );
  }
};

/**
Runs the statements of a transaction that need no answer of each other: one after the other, each with its own snapshot, and on a
connection of a pool with `pipeline` all in one round trip. What fails ends the transaction, so those behind it do nothing.
*/
export const inTurn = async <const Statements extends readonly (() => Promise<unknown>)[]>(
  client: Queryable,
  statements: Statements,
): Promise<{[Place in keyof Statements]: Awaited<ReturnType<Statements[Place]>>}> => {
  const results: unknown[] = [];
  if ((client as {pipeline?: boolean}).pipeline === true) {
    results.push(...(await Promise.all(statements.map(statement => statement()))));
  } else {
    for (const statement of statements) {
      results.push(await statement());
    }
  }
  return results as {[Place in keyof Statements]: Awaited<ReturnType<Statements[Place]>>};
};

/** Runs work in one transaction: commits when it returns, rolls back when it throws. */
export const transactionOn =
  (pool: pg.Pool): Transaction =>
  async work => {
    const client = await pool.connect();
    let broken: Error | undefined;
    // A connection that is cut while it is lent says so by an event, and one that nobody hears ends the process.
    const onCut = (error: Error) => {
      broken = error;
    };
    client.on('error', onCut);
    try {
      await client.query('begin');
      const result = await work(client);
      const {command} = await client.query('commit');
      // PostgreSQL answers the commit of a failed transaction with a rollback, and calls that no error.
      if (command !== 'COMMIT') {
        throw new Error('the transaction was rolled back: one of its statements had failed');
      }
      return result;
    } catch (error) {
      // A connection that cannot even roll back is thrown away with its transaction.
      await client.query('rollback').catch(rollbackError => {
        broken = rollbackError as Error;
      });
      throw error;
    } finally {
      client.off('error', onCut);
      client.release(broken);
    }
  };

/** Work in somebody's name: the audit tells who changed what in it. `actor` as below. */
export const inNameOf = (pool: pg.Pool, actor = ''): Transaction =>
  actor === ''
    ? transactionOn(pool)
    : work =>
        transactionOn(pool)(async client => {
          await client.query(`select set_config('sluice.actor', $1, true)`, [actor]);
          return work(client);
        });

/**
A transaction that sees and writes the rows of one organisation only, whatever its statements say. `actor` (JSON) is who the audit
says did it; without one nothing is audited.
*/
export const asTenant =
  (pool: pg.Pool) =>
  <Result>(
    org: string,
    work: (client: pg.PoolClient) => Promise<Result>,
    actor = '',
  ): Promise<Result> =>
    transactionOn(pool)(async client => {
      // `set local role` is a no-op for sluice_tenant itself, a step down for sluice_system.
      await client.query(
        `select set_config('role', 'sluice_tenant', true), set_config('sluice.org', $1, true),
                set_config('sluice.actor', $2, true)`,
        [org, actor],
      );
      return work(client);
    });
