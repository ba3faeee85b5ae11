/**
Tenant rows: one row of an organisation in every table of tenants, written as a superuser, past every policy.

In: a connection, a name. Out: the ids.
*/
import type pg from 'pg';
import {makeApiKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';

export const insertTenantRows = async (client: pg.Pool | pg.PoolClient, name: string) => {
  const ids = {
    org: uuidv7(),
    project: uuidv7(),
    key: uuidv7(),
    budget: uuidv7(),
    window: uuidv7(),
    topUp: uuidv7(),
    lease: uuidv7(),
    request: uuidv7(),
    openRequest: uuidv7(),
    refused: uuidv7(),
    model: uuidv7(),
    deadLetter: uuidv7(),
    secondDeadLetter: uuidv7(),
    user: uuidv7(),
    member: uuidv7(),
    groupRole: uuidv7(),
    serviceKey: uuidv7(),
  };
  const insert = (table: string, row: object) =>
    client.query(
      `insert into ${table} (${Object.keys(row)
        .map(column => `"${column}"`)
        .join(', ')}) values (${Object.keys(row)
        .map((_, index) => `$${index + 1}`)
        .join(', ')})`,
      Object.values(row),
    );
  const now = new Date();
  const month = `${now.toISOString().slice(0, 7)}-01`;
  const tenant = {org_id: ids.org, project_id: ids.project, key_id: ids.key};
  const used = {model: `model of ${name}`, environment: 'development'};
  const tokens = {input_tokens: 7, output_tokens: 5, cost_nanos: 47_450};
  await insert('orgs', {id: ids.org, name});
  await insert('projects', {id: ids.project, org_id: ids.org, name});
  await insert('keys', {
    id: ids.key,
    org_id: ids.org,
    project_id: ids.project,
    public_id: makeApiKey().publicId,
    secret_hash: Buffer.alloc(32),
    name,
  });
  await insert('budgets', {
    id: ids.budget,
    org_id: ids.org,
    unit: 'usd',
    limit: 5_000_000_000,
    period: 'month',
  });
  await client.query(
    `insert into windows (id, org_id, budget_id, starts_at, ends_at, "limit", ceiling, spent, leased, overage)
     select $1, $2, $3, starts_at, ends_at, 5000000000, 5000000000, 1250000000, 500000000, 250000000
     from window_bounds('month', 'UTC', now())`,
    [ids.window, ids.org, ids.budget],
  );
  await insert('top_ups', {
    id: ids.topUp,
    org_id: ids.org,
    budget_id: ids.budget,
    window_id: ids.window,
    amount: 1,
  });
  await insert('leases', {
    id: ids.lease,
    org_id: ids.org,
    window_id: ids.window,
    gateway_id: uuidv7(),
    granted: 500_000_000,
    expires_at: now,
  });
  await insert('requests', {
    id: ids.openRequest,
    org_id: ids.org,
    deadline: now,
    intent: '{}',
    covered: '[]',
  });
  await client.query('select open_month($1)', [month]);
  await insert('ledger', {
    month,
    request: ids.request,
    entry: 'result',
    ...tenant,
    ...used,
    model_id: ids.model,
    price_version: 1,
    at: now,
    ...tokens,
    outcome: 'completed',
    charges: JSON.stringify([
      {
        budget: ids.budget,
        window: ids.window,
        lease: ids.lease,
        unit: 'usd',
        hold: '100000',
        amount: '47450',
        covered: '47450',
        overage: '0',
      },
    ]),
  });
  await insert('outbox', {
    destination: 'broker:default',
    org_id: ids.org,
    source: '/test',
    event_id: ids.org,
    event: '{}',
  });
  for (const id of [ids.deadLetter, ids.secondDeadLetter]) {
    await insert('dead_letters', {
      id,
      org_id: ids.org,
      subscription: name,
      destination: 'http://127.0.0.1/',
      origin: 'broker:default',
      source: '/test',
      event_id: id,
      type: 'test.done',
      event: JSON.stringify({specversion: '1.0', id, source: '/test', type: 'test.done'}),
      attempts: 1,
      reason: 'a test',
    });
  }
  await insert('refusals', {
    request: ids.refused,
    ...tenant,
    gateway_id: 'one',
    ...used,
    operation: 'chat.completions',
    streamed: false,
    status: 402,
    code: 'insufficient_quota',
    reason: `budget ${ids.budget} is spent for this period`,
    duration_ms: 3,
    at: now,
  });
  await client.query(
    `insert into idempotency_claims (id, org_id, project_id, hash, fence, expires_at)
     values (sha256($1::uuid::text::bytea), $1, $2, sha256(''), $1, now() + interval '1 day')`,
    [ids.org, ids.project],
  );
  await insert('users', {id: ids.user, email: `${name}@example.org`, name});
  const rights = {org_id: ids.org, role: 'viewer'};
  await insert('members', {id: ids.member, ...rights, user_id: ids.user});
  await insert('group_roles', {id: ids.groupRole, ...rights, group_name: name});
  await insert('key_uses', {key_id: ids.key, org_id: ids.org, last_used_at: now});
  await insert('service_keys', {
    id: ids.serviceKey,
    ...rights,
    public_id: makeApiKey().publicId,
    secret_hash: Buffer.alloc(32),
    name,
  });
  await insert('audit', {
    org_id: ids.org,
    actor_kind: 'user',
    actor_id: ids.user,
    actor_name: name,
    operation: 'createMember',
    subject_kind: 'member',
    subject: ids.member,
  });
  const endpoint = 'http://127.0.0.1/';
  await insert('usage_records', {
    month,
    request: ids.request,
    ...tenant,
    ...used,
    model_id: ids.model,
    endpoint,
    operation: 'chat',
    streamed: false,
    at: now,
    finished_at: now,
    outcome: 'completed',
    ...tokens,
  });
  for (const [table, column] of [
    ['usage_hourly', 'hour'],
    ['usage_daily', 'day'],
  ] as const) {
    await insert(table, {
      [column]: now,
      ...tenant,
      ...used,
      endpoint,
      requests: 1,
      failed: 0,
      estimated: 0,
      cached_input_tokens: 0,
      latency_ms: 1,
      ...tokens,
    });
  }
  return ids;
};

export type TenantIds = Awaited<ReturnType<typeof insertTenantRows>>;
