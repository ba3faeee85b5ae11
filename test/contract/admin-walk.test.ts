/**
A walk through the whole admin API: every operation is done once, answered as promised, and leaves exactly the entries in the audit that
it should. The table is checked against the document, so that no operation is added without its row.
*/
import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import type {Json} from '../helpers/admin-server.ts';
import {readDocument} from '../helpers/openapi.ts';
import {makeBody, well} from '../helpers/registry.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';
import {startWholeAdmin} from '../helpers/whole-admin.ts';

type Ids = Record<string, string>;
/** `audit`: kinds of what was made (+), changed (~), removed (-); `keep`: the name for the id in the answer. */
type Step = Readonly<{
  operation: string;
  path: (ids: Ids) => string;
  body?: (ids: Ids) => object;
  audit?: readonly string[];
  keep?: string;
}>;

const step = (
  operation: string,
  path: Step['path'] | string,
  more: Partial<Omit<Step, 'operation' | 'path'>> = {},
): Step => ({operation, path: typeof path === 'string' ? () => path : path, ...more});

const named = (name: string) => () => ({name});
const role = (name: string) => () => ({role: name});

const steps: readonly Step[] = [
  step('getMe', '/me'),
  step('getOpenApi', '/openapi.json'),
  step('createOrg', '/orgs', {body: named('acme'), audit: ['+org'], keep: 'org'}),
  step('listOrgs', '/orgs'),
  step('getOrg', ({org}) => `/orgs/${org}`),
  step('changeOrg', ({org}) => `/orgs/${org}`, {
    body: () => ({requestsPerMinute: 7}),
    audit: ['~org'],
  }),
  step('suspendOrg', ({org}) => `/orgs/${org}/suspend`, {body: () => ({}), audit: ['~org']}),
  step('resumeOrg', ({org}) => `/orgs/${org}/resume`, {body: () => ({}), audit: ['~org']}),
  step('createProject', ({org}) => `/orgs/${org}/projects`, {
    body: named('one'),
    audit: ['+project'],
    keep: 'project',
  }),
  step('listProjects', ({org}) => `/orgs/${org}/projects`),
  step('getProject', ({project}) => `/projects/${project}`),
  step('changeProject', ({project}) => `/projects/${project}`, {
    body: () => ({keepResults: true}),
    audit: ['~project'],
  }),
  step('createKey', ({project}) => `/projects/${project}/keys`, {
    body: named('one'),
    audit: ['+key'],
    keep: 'key',
  }),
  step('listKeys', ({project}) => `/projects/${project}/keys`),
  step('getKey', ({key}) => `/keys/${key}`),
  step('changeKey', ({key}) => `/keys/${key}`, {
    body: () => ({maxOutputTokens: 7}),
    audit: ['~key'],
  }),
  step('rotateKey', ({key}) => `/keys/${key}/rotate`, {body: () => ({}), audit: ['~key']}),
  step('createBudget', '/budgets', {
    body: ({org}) => ({org, unit: 'usd', limit: '5.00', period: 'month'}),
    audit: ['+budget'],
    keep: 'budget',
  }),
  step('listBudgets', ({org}) => `/budgets?org=${org}`),
  step('getBudget', ({budget}) => `/budgets/${budget}`),
  step('changeBudget', ({budget}) => `/budgets/${budget}`, {
    body: () => ({paused: true}),
    audit: ['~budget'],
  }),
  step('createTopUp', ({budget}) => `/budgets/${budget}/top-ups`, {
    body: () => ({amount: '1.00'}),
    audit: ['+budget'],
  }),
  step('listTopUps', ({budget}) => `/budgets/${budget}/top-ups`),
  step('revokeKey', ({key}) => `/keys/${key}`, {audit: ['~key']}),
  step('createUser', '/users', {
    body: () => ({email: 'ada@example.org', name: 'Ada'}),
    audit: ['+user'],
    keep: 'user',
  }),
  step('listUsers', '/users'),
  step('getUser', ({user}) => `/users/${user}`),
  step('changeUser', ({user}) => `/users/${user}`, {body: named('Ada L.'), audit: ['~user']}),
  step('createLoginLink', ({user}) => `/users/${user}/login-links`, {audit: ['+loginLink']}),
  step('createMember', ({org}) => `/orgs/${org}/members`, {
    body: () => ({email: 'ada@example.org', role: 'viewer'}),
    audit: ['+member'],
    keep: 'member',
  }),
  step('listMembers', ({org}) => `/orgs/${org}/members`),
  step('getMember', ({member}) => `/members/${member}`),
  step('changeMember', ({member}) => `/members/${member}`, {
    body: role('member'),
    audit: ['~member'],
  }),
  step('removeMember', ({member}) => `/members/${member}`, {audit: ['-member']}),
  step('deleteUser', ({user}) => `/users/${user}`, {audit: ['-user']}),
  step('createGroupRole', ({org}) => `/orgs/${org}/group-roles`, {
    body: () => ({group: 'g', role: 'viewer'}),
    audit: ['+groupRole'],
    keep: 'groupRole',
  }),
  step('listGroupRoles', ({org}) => `/orgs/${org}/group-roles`),
  step('getGroupRole', ({groupRole}) => `/group-roles/${groupRole}`),
  step('changeGroupRole', ({groupRole}) => `/group-roles/${groupRole}`, {
    body: role('member'),
    audit: ['~groupRole'],
  }),
  step('removeGroupRole', ({groupRole}) => `/group-roles/${groupRole}`, {audit: ['-groupRole']}),
  step('createServiceKey', ({org}) => `/orgs/${org}/service-keys`, {
    body: () => ({name: 'one', role: 'viewer'}),
    audit: ['+serviceKey'],
    keep: 'serviceKey',
  }),
  step('listServiceKeys', ({org}) => `/orgs/${org}/service-keys`),
  step('getServiceKey', ({serviceKey}) => `/service-keys/${serviceKey}`),
  step('revokeServiceKey', ({serviceKey}) => `/service-keys/${serviceKey}`, {
    audit: ['~serviceKey'],
  }),
  step('registerModel', '/models', {
    body: () => makeBody({}),
    audit: ['+model', '+model', '+model'],
    keep: 'model',
  }),
  step('registerModel', '/models', {
    body: () => makeBody({metadata: {of: 'two'}}),
    audit: ['~model'],
  }),
  step('listModels', '/models'),
  step('getModel', ({model}) => `/models/${model}`),
  step('changeModel', ({model}) => `/models/${model}`, {
    body: () => ({requestsPerMinute: 7}),
    audit: ['~model'],
  }),
  step('probeModel', ({model}) => `/models/${model}/probe`),
  step('disableModel', ({model}) => `/models/${model}/disable`, {audit: ['~model']}),
  step('enableModel', ({model}) => `/models/${model}/enable`, {audit: ['~model']}),
  step('removeModel', ({model}) => `/models/${model}`, {audit: ['-model', '-model']}),
  step('listLedger', ({other}) => `/ledger?org=${other}`),
  step('explainRequest', ({request}) => `/requests/${request}`),
  step('getUsage', '/usage?groupBy=org'),
  step('exportUsage', ({other}) => `/usage/export?org=${other}`),
  step('getUsageRecord', ({other, request}) => `/usage/records?org=${other}&request=${request}`),
  step('verifyUsage', '/usage/verify', {body: () => ({checks: ['sums']})}),
  step('listDeadLetters', '/dead-letters'),
  step('getDeadLetter', ({deadLetter}) => `/dead-letters/${deadLetter}`),
  step('redriveDeadLetter', ({deadLetter}) => `/dead-letters/${deadLetter}/redrive`, {
    audit: ['~deadLetter'],
  }),
  step('dropDeadLetter', ({secondDeadLetter: id}) => `/dead-letters/${id}/drop`, {
    audit: ['~deadLetter'],
  }),
  step('redriveDeadLetters', '/dead-letters/redrive', {
    body: () => ({subscription: 'redrive'}),
    audit: ['~deadLetter'],
  }),
  step('dropDeadLetters', '/dead-letters/drop', {
    body: () => ({subscription: 'drop'}),
    audit: ['~deadLetter'],
  }),
  step('deleteProject', ({project}) => `/projects/${project}`, {audit: ['~project']}),
  step('deleteOrg', ({org}) => `/orgs/${org}`, {audit: ['~org']}),
  step('restoreOrg', ({org}) => `/orgs/${org}/restore`, {body: () => ({}), audit: ['~org']}),
  step('purgeOrgs', '/orgs/purge', {body: () => ({})}),
  step('listAudit', '/audit'),
  step('getAudit', ({audit}) => `/audit/${audit}`),
];

const changes = ['post', 'patch', 'put', 'delete'];
const documented = Object.entries(readDocument().paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => method !== 'parameters')
    .map(([method, operation]) => ({
      operation: String(operation.operationId),
      method,
      good: Object.keys(operation.responses)
        .filter(status => status.startsWith('2'))
        .map(status => `${method.toUpperCase()} ${path} ${status}`),
    })),
);

test('every operation of the document is in the table', t => {
  const known = new Set(steps.map(({operation}) => operation));
  t.deepEqual(
    documented.map(({operation}) => operation).filter(operation => !known.has(operation)),
    [],
  );
});

const setUp = async (t: ExecutionContext) => {
  const admin = await startWholeAdmin(t);
  const superuser = admin.database.pool('superuser');
  const rows = await insertTenantRows(superuser, 'other');
  for (const subscription of ['redrive', 'drop']) {
    await superuser.query(
      `insert into dead_letters (id, org_id, subscription, destination, origin, reason, proved, event)
       values ($1, $2, $3, 'x', 'broker:default', 'a test', true, $4)`,
      [
        uuidv7(),
        rows.org,
        subscription,
        JSON.stringify({specversion: '1.0', id: subscription, source: '/t', type: 't.done'}),
      ],
    );
  }
  await superuser.query('delete from audit');
  admin.findings['http://a:8000'] = well;
  const ids: Ids = {...rows, other: rows.org};
  const newEntries = async (after: readonly Json[]) => {
    const {rows: entries} = await superuser.query<Json>('select * from audit order by id');
    return entries.slice(after.length);
  };
  return {admin, ids, newEntries};
};

test('every operation is answered as it promises, and leaves exactly its entries in the audit', async t => {
  const {admin, ids, newEntries} = await setUp(t);
  const methods = new Map(documented.map(({operation, method}) => [operation, method]));
  const entries: Json[] = [];
  for (const {operation, path, body, audit = [], keep} of steps) {
    const method = String(methods.get(operation)).toUpperCase();
    const answer = await admin.call(method, `/admin/v1${path(ids)}`, body?.(ids));
    t.true(answer.status < 300, `${operation}: ${answer.status} ${answer.text}`);
    if (keep !== undefined) {
      ids[keep] = answer.body.id;
    }
    const more = await newEntries(entries);
    entries.push(...more);
    ids.audit = String(entries.at(-1)?.id);
    t.deepEqual(
      more
        .map(entry => `${entry.before ? (entry.after ? '~' : '-') : '+'}${entry.subject_kind}`)
        .toSorted(),
      audit.toSorted(),
      operation,
    );
    t.true(
      more.every(entry => entry.operation === operation && entry.actor_id === 'admin-key'),
      operation,
    );
    t.true(
      audit.length === 0 || changes.includes(method.toLowerCase()),
      `${operation} is no change`,
    );
  }
  t.deepEqual(
    documented.flatMap(({good}) => good).filter(what => !admin.contract.seen.has(what)),
    [],
  );
});

test('no secret and no hash of one is in the audit, its events or kept answers', async t => {
  const admin = await startWholeAdmin(t);
  const {org, project} = await admin.createTenant('acme');
  const user = await admin.create('/admin/v1/users', {email: 'ada@example.org', name: 'Ada'});
  const post = async (path: string, body: object | undefined, index: number) => {
    const headers = {'idempotency-key': `k${index}`};
    const answer = await admin.call('POST', path, body, {headers});
    t.true(answer.status < 300, answer.text);
    const again = await admin.call('POST', path, body, {headers});
    t.is(again.headers.get('idempotency-replayed'), 'true', path);
    t.is(again.body.secretShown, false, path);
    return answer.body;
  };
  const key = await post(`/admin/v1/projects/${project}/keys`, {name: 'one'}, 1);
  const secrets = [
    key.key,
    (await post(`/admin/v1/keys/${key.id}/rotate`, {}, 2)).key,
    (await post(`/admin/v1/orgs/${org}/service-keys`, {name: 'one', role: 'viewer'}, 3)).key,
    (await post(`/admin/v1/users/${user.id}/login-links`, undefined, 4)).token,
  ].map(String);
  const hidden = ['secret_hash', 'token_hash', 'secretHash', 'tokenHash', 'previousSecretHash'];
  const {rows} = await admin.database.pool('superuser').query(`
    select string_agg(line, e'\\n') as text from (
      select a::text as line from audit a union all select event::text from outbox union all select answer::text from answers) l`);
  const text = String(rows[0].text);
  t.true(text.length > 1_000);
  for (const secret of secrets) {
    const [, tail = secret] = /^s?sk-[a-z2-7]{16}-(.{43})$/.exec(secret) ?? [];
    t.true(tail.length === 43);
    t.false(text.includes(tail), secret.slice(0, 4));
  }
  for (const word of hidden) {
    t.false(text.includes(word), word);
  }
  const hashes = await admin.database.pool('superuser').query(`
    select encode(h, 'hex') as hash from (
      select secret_hash as h from keys union select previous_secret_hash from keys
      union select secret_hash from service_keys union select token_hash from login_links) all_of_them where h is not null`);
  t.true(hashes.rows.length >= 4);
  for (const {hash} of hashes.rows) {
    t.false(text.includes(hash));
  }
});
