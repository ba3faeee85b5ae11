import test, {type ExecutionContext} from 'ava';
import {createGuard} from '../../events/access/guard.ts';
import {createPool} from '../../events/database.ts';
import {serve} from '../../events/serve.ts';
import {createLogger} from '../../events/telemetry.ts';
import {usageRoutes} from '../../functions/usage/routes.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {adminKey, startAdmin} from '../helpers/admin-server.ts';
import {startDeadletter} from '../helpers/deadletter-server.ts';
import {readDocument} from '../helpers/openapi.ts';
import {insertTenantRows, type TenantIds} from '../helpers/tenant-rows.ts';
import {findTables} from '../helpers/wall.ts';

type Route = readonly [
  operation: string,
  path: (ids: TenantIds) => string,
  body?: (ids: TenantIds) => object,
];

/** Every route that is about one organisation, with the ids of it. Those that change come last. */
const routes: readonly Route[] = [
  ['getOrg', ids => `/orgs/${ids.org}`],
  ['listProjects', ids => `/orgs/${ids.org}/projects`],
  ['listKeys', ids => `/projects/${ids.project}/keys`],
  ['getProject', ids => `/projects/${ids.project}`],
  ['getKey', ids => `/keys/${ids.key}`],
  ['getBudget', ids => `/budgets/${ids.budget}`],
  ['listBudgets', ids => `/budgets?org=${ids.org}`],
  ['listTopUps', ids => `/budgets/${ids.budget}/top-ups`],
  ['listLedger', ids => `/ledger?org=${ids.org}`],
  ['listLedger', ids => `/ledger?request=${ids.request}`],
  ['explainRequest', ids => `/requests/${ids.request}`],
  ['explainRequest', ids => `/requests/${ids.refused}?org=${ids.org}`],
  ['listDeadLetters', ids => `/dead-letters?org=${ids.org}`],
  ['getUsage', ids => `/usage?org=${ids.org}&groupBy=org,project,key,model&granularity=day`],
  ['getUsageRecord', ids => `/usage/records?org=${ids.org}&request=${ids.request}`],
  ['exportUsage', ids => `/usage/export?org=${ids.org}`],
  ['exportUsage', ids => `/usage/export?org=${ids.org}&granularity=hour&format=json`],
  ['exportUsage', ids => `/usage/export?org=${ids.org}&granularity=day&format=json`],
  ['createProject', ids => `/orgs/${ids.org}/projects`, () => ({name: 'new'})],
  ['createKey', ids => `/projects/${ids.project}/keys`, () => ({name: 'new'})],
  ['createBudget', () => '/budgets', ids => ({org: ids.org, ...limit})],
  ['createBudget', () => '/budgets', ids => ({project: ids.project, ...limit})],
  ['createBudget', () => '/budgets', ids => ({key: ids.key, ...limit})],
  ['changeBudget', ids => `/budgets/${ids.budget}`, () => ({limit: '1.00', paused: true})],
  ['changeOrg', ids => `/orgs/${ids.org}`, () => ({requestsPerMinute: 9})],
  ['changeProject', ids => `/projects/${ids.project}`, () => ({tokensPerMinute: 9})],
  ['changeKey', ids => `/keys/${ids.key}`, () => ({parallelRequests: 9})],
  ['createTopUp', ids => `/budgets/${ids.budget}/top-ups`, () => ({amount: '1.00', id: 'one'})],
  ['getDeadLetter', ids => `/dead-letters/${ids.deadLetter}`],
  ['redriveDeadLetters', () => '/dead-letters/redrive', ids => ({org: ids.org, dryRun: true})],
  ['dropDeadLetters', () => '/dead-letters/drop', ids => ({org: ids.org, dryRun: true})],
  ['dropDeadLetter', ids => `/dead-letters/${ids.secondDeadLetter}/drop`],
  ['redriveDeadLetter', ids => `/dead-letters/${ids.deadLetter}/redrive`],
  ['revokeKey', ids => `/keys/${ids.key}`],
];
const limit = {unit: 'usd', limit: '9.00', period: 'day'};

/** The operator's own: all organisations, or none. */
const operators = /^(createOrg|listOrgs|verifyUsage)$|Models?$/;

/** Ids of one beside a filter of the other. */
const mixed: ReadonlyArray<(own: TenantIds, other: TenantIds) => string> = [
  (own, other) => `/ledger?org=${own.org}&request=${other.request}`,
  (own, other) => `/usage?org=${own.org}&project=${other.project}&groupBy=project`,
  (own, other) => `/usage?org=${own.org}&key=${other.key}&groupBy=key`,
  (own, other) => `/usage/records?org=${own.org}&request=${other.request}`,
  (own, other) => `/usage/export?org=${own.org}&project=${other.project}&format=json`,
  (own, other) => `/dead-letters?org=${own.org}&after=${other.deadLetter}`,
  (own, other) => `/budgets?org=${own.org}&after=${other.org}`,
  (own, other) => `/budgets/${own.budget}/top-ups?after=${other.topUp}`,
];

const methodOf = (operation: string): string => {
  for (const item of Object.values(readDocument().paths)) {
    for (const [method, {operationId}] of Object.entries(item)) {
      if (operationId === operation) {
        return method.toUpperCase();
      }
    }
  }
  throw new Error(`the contract has no operation ${operation}`);
};

const setUp = async (t: ExecutionContext) => {
  const admin = await startAdmin(t);
  const pool = createPool({databaseUrl: admin.database.url('system'), name: 'usage'});
  const usage = await serve({
    name: 'usage',
    host: '127.0.0.1',
    logger: createLogger({name: 'usage', level: 'silent'}),
    routes: usageRoutes({store: createPostgresStore(pool), guard: createGuard({adminKey})}),
    onClose: () => pool.end(),
  });
  t.teardown(usage.close);
  const own = await insertTenantRows(admin.database.pool('superuser'), 'owl');
  const other = await insertTenantRows(admin.database.pool('superuser'), 'zebra');
  const deadletter = await startDeadletter(t, admin.database);
  const call = async (method: string, path: string, body?: object) => {
    if (path.startsWith('/dead-letters')) {
      return deadletter.call(method, path.replace('/dead-letters', ''), body);
    }
    if (!path.startsWith('/usage')) {
      return admin.call(method, `/admin/v1${path}`, body);
    }
    const response = await fetch(`${usage.url}/admin/v1${path}`, {
      headers: {authorization: `Bearer ${adminKey}`},
    });
    const text = await response.text();
    const contentType = response.headers.get('content-type');
    const answer = {
      status: response.status,
      contentType,
      text,
      body: /^application\/(problem\+)?json/.test(contentType ?? '') ? JSON.parse(text) : text,
    };
    admin.contract.check({method, path: `/admin/v1${path}`, ...answer});
    return answer;
  };
  return {database: admin.database, call, own, other};
};

test('every route about an organisation is in the table above', t => {
  const known = new Set(routes.map(([operation]) => operation));
  for (const item of Object.values(readDocument().paths)) {
    for (const {operationId} of Object.values(item)) {
      if (typeof operationId === 'string' && !operators.test(operationId)) {
        t.true(known.has(operationId), operationId);
      }
    }
  }
});

test('an answer about one organisation has nothing of another, and changes nothing of it', async t => {
  const {database, call, own, other} = await setUp(t);
  const snapshot = async () => {
    const client = await database.pool('superuser').connect();
    const rows: unknown[] = [];
    for (const {name, column} of (await findTables(client)).filter(table => table.protected)) {
      const found = await client.query(
        `select to_jsonb(t) as row from ${name} t where ${column} = $1 order by 1`,
        [other.org],
      );
      rows.push([name, found.rows]);
    }
    client.release();
    return rows;
  };
  const before = await snapshot();
  for (const [operation, path, body] of routes) {
    const {status, text} = await call(methodOf(operation), path(own), body?.(own));
    t.true(status < 300, `${operation}: ${status} ${text}`);
    t.true(
      status === 204 || Object.values(own).some(id => text.includes(id)),
      `${operation}: ${text}`,
    );
    for (const [name, id] of Object.entries({...other, name: 'zebra'})) {
      t.false(text.includes(id), `${operation} shows the ${name} of another`);
    }
  }
  t.deepEqual(await snapshot(), before);
});

test('ids of another organisation beside our own find nothing', async t => {
  const {call, own, other} = await setUp(t);
  for (const path of mixed) {
    const {status, body, text} = await call('GET', path(own, other));
    t.true(status === 404 || text === '' || body.data.length === 0, text);
    t.false(text.includes('zebra'), text);
  }
});
