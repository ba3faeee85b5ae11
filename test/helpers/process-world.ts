/**
Process world: a gateway as a process of its own before model servers that may die, and the debit that books what it wrote.

In: the test, where the model servers are, more environment. Out: a key under three budgets, the process, what it says of itself, and
the books: ledger and windows after everything in the outbox was debited.
*/
import assert from 'node:assert/strict';
import {type ChildProcess, fork} from 'node:child_process';
import {once} from 'node:events';
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import type pg from 'pg';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {createPool} from '../../events/database.ts';
import type {Event} from '../../events/event.ts';
import {limits} from '../../events/limits.ts';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import {createPostgresStore} from '../../functions/budget/store-postgres.ts';
import {createTestDatabase} from './database.ts';

const program = fileURLToPath(new URL('../../functions/gateway/main.ts', import.meta.url));
export const modelName = 'simulated-chat';
const budgetNanos = 1_000_000_000_000_000;

export type Entry = Readonly<{
  request: string;
  entries: number;
  inputTokens: number;
  outputTokens: number;
  costNanos: number;
  estimated: boolean;
}>;
export type ProcessWorld = Awaited<ReturnType<typeof openProcessWorld>>;
export type GatewayProcess = Awaited<ReturnType<typeof startGatewayProcess>>;

export const openProcessWorld = async (
  t: Pick<ExecutionContext, 'teardown'>,
  {
    endpoints,
    env = {},
    contextLength = 8_192,
  }: {
    endpoints: readonly string[];
    env?: Readonly<Record<string, string>>;
    contextLength?: number;
  },
) => {
  const database = await createTestDatabase(t);
  const root = database.pool('superuser');
  const apiKey = await seed(root, endpoints, contextLength);
  const debitAll = openDebit(t, root, database.url('system'));
  const start = (more: Readonly<Record<string, string>> = {}) =>
    startGatewayProcess(t, {DATABASE_URL: database.url('gateway'), ...env, ...more});
  return {
    database,
    root,
    apiKey,
    /** Another gateway on the same database. */
    start,
    gateway: await start(),
    /** What is booked once everything that was written is debited. */
    async books() {
      await debitAll();
      const {rows: ledger} = await root.query<Entry>(
        `select request, count(*)::int as entries, sum(input_tokens)::float8 as "inputTokens",
         sum(output_tokens)::float8 as "outputTokens", sum(cost_nanos)::float8 as "costNanos", bool_or(estimated) as estimated
         from ledger group by request order by request`,
      );
      const {rows} = await root.query<{leased: number; spent: number; open: number}>(
        `select (select coalesce(sum(leased), 0)::float8 from windows) as leased,
         (select coalesce(sum(spent + overage), 0)::float8 from windows) as spent,
         (select count(*)::int from requests) as open`,
      );
      return {ledger, ...(rows[0] as (typeof rows)[number])};
    },
  };
};

export const startGatewayProcess = async (
  t: Pick<ExecutionContext, 'teardown'>,
  env: Readonly<Record<string, string>>,
) => {
  const child = fork(program, {
    env: {...process.env, PORT: '0', LOG_LEVEL: 'warn', REQUEST_TIMEOUT_MS: '120000', ...env},
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  child.stdout?.on('data', chunk => void lines.push(String(chunk)));
  child.stderr?.on('data', chunk => void lines.push(String(chunk)));
  const ended = once(child, 'exit').then(([status, signal]) => status ?? signal);
  // Its last words may come after its end.
  const closed = once(child, 'close');
  const listening = once(child, 'message').then(([message]) => message.listening as number);
  const port = await Promise.race([listening, ended]);
  if (child.exitCode !== null) {
    await closed;
    throw new Error(`the gateway ended with ${port} before it listened:\n${lines.join('')}`);
  }
  const url = `http://127.0.0.1:${port}`;
  const metrics = async () => (await fetch(`${url}/metrics`)).text();
  return {
    child,
    url,
    port: Number(port),
    pid: child.pid as number,
    lines: () => lines.join(''),
    /** Resolves with its exit status, or the signal that ended it. */
    ended,
    async stop() {
      child.kill('SIGTERM');
      return ended;
    },
    /** The sum over all labels. */
    async metric(name: string): Promise<number> {
      const found = (await metrics())
        .split('\n')
        .filter(line => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
      return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    },
  };
};

/** In MiB, from the kernel: `VmRSS` now, `VmHWM` at its highest. */
export const memoryOf = ({pid}: Pick<ChildProcess, 'pid'>, field: 'VmRSS' | 'VmHWM' = 'VmRSS') => {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(
    readFileSync(`/proc/${pid}/status`, 'utf8'),
  );
  return Math.round(Number(found?.[1]) / 1_024);
};

const openDebit = (t: Pick<ExecutionContext, 'teardown'>, root: pg.Pool, databaseUrl: string) => {
  const pool = createPool({databaseUrl, name: 'test', connectTimeoutMs: 60_000, pipeline: true});
  t.teardown(() => pool.end());
  const debitBatch = debit({store: createPostgresStore({pool})});
  return async () => {
    for (;;) {
      const {rows} = await root.query<{id: string; event: Event}>(
        `select id::text, event from outbox where destination like 'log:%' order by id limit $1`,
        [limits.batchEvents],
      );
      if (rows.length === 0) {
        return;
      }
      await debitBatch(rows.map(({event}) => event));
      await root.query('delete from outbox where id = any($1::bigint[])', [rows.map(({id}) => id)]);
    }
  };
};

/** Everything is settled once, nothing is under way, and no window has anything on lease: for a gateway that has ended. */
export const assertSettled = (
  {ledger, leased, open}: Awaited<ReturnType<ProcessWorld['books']>>,
  requests: readonly string[],
) => {
  assert.deepEqual(
    ledger.filter(({entries}) => entries !== 1),
    [],
    'settled once',
  );
  assert.deepEqual(ledger.map(({request}) => request).sort(), [...requests].sort());
  assert.equal(open, 0, 'requests without a settlement');
  assert.equal(leased, 0, 'on lease');
};

const seed = async (client: pg.Pool, endpoints: readonly string[], contextLength: number) => {
  const [org, project, key, model] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
  const {text, publicId, secret} = makeApiKey();
  await client.query("insert into orgs (id, name) values ($1, 'o')", [org]);
  await client.query("insert into projects (id, org_id, name) values ($1, $2, 'p')", [
    project,
    org,
  ]);
  await client.query(
    `insert into keys (id, org_id, project_id, public_id, secret_hash, name) values ($1, $2, $3, $4, $5, 'k')`,
    [key, org, project, publicId, hashSecret(secret)],
  );
  for (const [ofProject, ofKey] of [
    [null, null],
    [project, null],
    [null, key],
  ]) {
    await client.query(
      `insert into budgets (id, org_id, project_id, key_id, unit, "limit", period) values ($1, $2, $3, $4, 'usd', $5, 'none')`,
      [uuidv7(), org, ofProject, ofKey, budgetNanos],
    );
  }
  await client.query(
    `insert into models (id, name, environment, status, context_length) values ($1, $2, 'development', 'ready', $3)`,
    [model, modelName, contextLength],
  );
  await client.query(
    `insert into prices (model_id, version, input_per_million, output_per_million) values ($1, 1, 200000000, 600000000)`,
    [model],
  );
  for (const url of endpoints) {
    await client.query(
      `insert into endpoints (id, model_id, url, upstream_model, usage, health) values ($1, $2, $3, $4, 'every-chunk', 'healthy')`,
      [uuidv7(), model, url, modelName],
    );
  }
  return text;
};
