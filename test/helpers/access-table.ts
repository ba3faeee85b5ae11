/**
Access table: who may do what, written down by hand and on purpose not read from the document, so that a slip there is found.

A row is a request that names something of a tenant. `need` is the weakest role that may, `of` what the request is about: a role in a
project counts for what is of that project alone. `near`: any role in a project of the organisation is enough.
*/

import type {RoleName} from './access-callers.ts';
import type {AccessIds} from './access-tenant.ts';

export type AccessRow = Readonly<{
  operation: string;
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  need: RoleName | 'operator' | 'anyone';
  /** `platform`: it names nothing of a tenant. */
  of: 'org' | 'project' | 'platform';
  near?: boolean;
  path: (ids: AccessIds) => string;
  body?: (ids: AccessIds) => object;
  /** What it may be answered with where it is allowed; without it, 200 to 299. */
  good?: readonly number[];
}>;

let made = 0;
const fresh = (what: string) => `${what}-${++made}`;
const email = () => ({email: `${fresh('someone')}@new.example`});
const budget = {unit: 'tokens', limit: 1_000, period: 'month'};
const invalid = () => ({'no such field': true});
const refused = [400, 404, 409];

const row = (
  operation: string,
  need: AccessRow['need'],
  of: AccessRow['of'],
  request: readonly [AccessRow['method'], AccessRow['path'], AccessRow['body']?],
  more: Partial<AccessRow> = {},
): AccessRow => {
  const [method, path, body] = request;
  return {operation, need, of, method, path, ...(body ? {body} : {}), ...more};
};

const tenancy: readonly AccessRow[] = [
  row('getMe', 'anyone', 'platform', ['GET', () => '/me']),
  row('getOpenApi', 'anyone', 'platform', ['GET', () => '/openapi.json']),
  row('listOrgs', 'anyone', 'platform', ['GET', () => '/orgs']),
  row('createOrg', 'operator', 'platform', ['POST', () => '/orgs', () => ({name: fresh('org')})]),
  row('purgeOrgs', 'operator', 'platform', ['POST', () => '/orgs/purge', () => ({})]),
  row('getOrg', 'viewer', 'org', ['GET', ({org}) => `/orgs/${org}`], {near: true}),
  row('changeOrg', 'operator', 'org', [
    'PATCH',
    ({org}) => `/orgs/${org}`,
    () => ({requestsPerMinute: 9}),
  ]),
  row('deleteOrg', 'operator', 'org', ['DELETE', ({org}) => `/orgs/${org}`]),
  row('suspendOrg', 'operator', 'org', ['POST', ({org}) => `/orgs/${org}/suspend`, () => ({})]),
  row('resumeOrg', 'operator', 'org', ['POST', ({org}) => `/orgs/${org}/resume`, () => ({})]),
  row('restoreOrg', 'operator', 'org', ['POST', ({org}) => `/orgs/${org}/restore`, () => ({})]),
  row('listProjects', 'viewer', 'org', ['GET', ({org}) => `/orgs/${org}/projects`], {near: true}),
  row('createProject', 'admin', 'org', [
    'POST',
    ({org}) => `/orgs/${org}/projects`,
    () => ({name: fresh('p')}),
  ]),
  row('getProject', 'viewer', 'project', ['GET', ({project}) => `/projects/${project}`]),
  row('changeProject', 'admin', 'project', [
    'PATCH',
    ({project}) => `/projects/${project}`,
    () => ({tokensPerMinute: 9}),
  ]),
  row('changeProject', 'operator', 'project', [
    'PATCH',
    ({project}) => `/projects/${project}`,
    () => ({unsettledPolicy: 'waive'}),
  ]),
  row('createProject', 'operator', 'org', [
    'POST',
    ({org}) => `/orgs/${org}/projects`,
    () => ({name: fresh('p'), unsettledPolicy: 'waive'}),
  ]),
  row('deleteProject', 'admin', 'project', ['DELETE', ({project}) => `/projects/${project}`]),
];

const keys: readonly AccessRow[] = [
  row('createKey', 'member', 'project', [
    'POST',
    ({project}) => `/projects/${project}/keys`,
    () => ({name: 'new'}),
  ]),
  row('listKeys', 'viewer', 'project', ['GET', ({project}) => `/projects/${project}/keys`]),
  row('getKey', 'viewer', 'project', ['GET', ({key}) => `/keys/${key}`]),
  row('changeKey', 'admin', 'project', [
    'PATCH',
    ({key}) => `/keys/${key}`,
    () => ({parallelRequests: 9}),
  ]),
  row('rotateKey', 'member', 'project', ['POST', ({key}) => `/keys/${key}/rotate`, () => ({})]),
  row('revokeKey', 'member', 'project', ['DELETE', ({key}) => `/keys/${key}`]),
];

const role = {role: 'viewer'};
const people: readonly AccessRow[] = [
  row('listUsers', 'operator', 'platform', ['GET', () => '/users']),
  row('createUser', 'operator', 'platform', [
    'POST',
    () => '/users',
    () => ({...email(), name: 'new'}),
  ]),
  row('getUser', 'operator', 'platform', ['GET', ({user}) => `/users/${user}`]),
  row('changeUser', 'operator', 'platform', [
    'PATCH',
    ({user}) => `/users/${user}`,
    () => ({name: 'x'}),
  ]),
  row('createLoginLink', 'operator', 'platform', [
    'POST',
    ({user}) => `/users/${user}/login-links`,
  ]),
  row('deleteUser', 'operator', 'platform', ['DELETE', ({user}) => `/users/${user}`]),
  row('listMembers', 'viewer', 'org', ['GET', ({org}) => `/orgs/${org}/members`]),
  row('listMembers', 'viewer', 'project', [
    'GET',
    ({org, project}) => `/orgs/${org}/members?project=${project}`,
  ]),
  row('createMember', 'admin', 'org', [
    'POST',
    ({org}) => `/orgs/${org}/members`,
    () => ({...email(), ...role}),
  ]),
  row('createMember', 'owner', 'org', [
    'POST',
    ({org}) => `/orgs/${org}/members`,
    () => ({...email(), role: 'owner'}),
  ]),
  row('createMember', 'admin', 'project', [
    'POST',
    ({org}) => `/orgs/${org}/members`,
    ({project}) => ({...email(), ...role, project}),
  ]),
  row('getMember', 'viewer', 'org', ['GET', ({member}) => `/members/${member}`]),
  row('getMember', 'viewer', 'project', ['GET', ({projectMember: id}) => `/members/${id}`]),
  row('changeMember', 'admin', 'org', [
    'PATCH',
    ({member}) => `/members/${member}`,
    () => ({role: 'member'}),
  ]),
  row('changeMember', 'owner', 'org', [
    'PATCH',
    ({member}) => `/members/${member}`,
    () => ({role: 'owner'}),
  ]),
  row('changeMember', 'admin', 'project', [
    'PATCH',
    ({projectMember: id}) => `/members/${id}`,
    () => ({role: 'member'}),
  ]),
  row('removeMember', 'admin', 'org', ['DELETE', ({member}) => `/members/${member}`]),
  row('removeMember', 'admin', 'project', ['DELETE', ({projectMember: id}) => `/members/${id}`]),
  row('listGroupRoles', 'viewer', 'org', ['GET', ({org}) => `/orgs/${org}/group-roles`]),
  row('listGroupRoles', 'viewer', 'project', [
    'GET',
    ({org, project}) => `/orgs/${org}/group-roles?project=${project}`,
  ]),
  row('createGroupRole', 'admin', 'org', [
    'POST',
    ({org}) => `/orgs/${org}/group-roles`,
    () => ({group: fresh('group'), ...role}),
  ]),
  row('createGroupRole', 'owner', 'org', [
    'POST',
    ({org}) => `/orgs/${org}/group-roles`,
    () => ({group: fresh('group'), role: 'owner'}),
  ]),
  row('createGroupRole', 'admin', 'project', [
    'POST',
    ({org}) => `/orgs/${org}/group-roles`,
    ({project}) => ({group: fresh('group'), ...role, project}),
  ]),
  row('getGroupRole', 'viewer', 'org', ['GET', ({groupRole: id}) => `/group-roles/${id}`]),
  row('getGroupRole', 'viewer', 'project', [
    'GET',
    ({projectGroupRole: id}) => `/group-roles/${id}`,
  ]),
  row('changeGroupRole', 'admin', 'org', [
    'PATCH',
    ({groupRole: id}) => `/group-roles/${id}`,
    () => ({role: 'member'}),
  ]),
  row('changeGroupRole', 'admin', 'project', [
    'PATCH',
    ({projectGroupRole: id}) => `/group-roles/${id}`,
    () => ({role: 'member'}),
  ]),
  row('removeGroupRole', 'admin', 'org', ['DELETE', ({groupRole: id}) => `/group-roles/${id}`]),
  row('removeGroupRole', 'admin', 'project', [
    'DELETE',
    ({projectGroupRole: id}) => `/group-roles/${id}`,
  ]),
  row('listServiceKeys', 'viewer', 'org', ['GET', ({org}) => `/orgs/${org}/service-keys`]),
  row('listServiceKeys', 'viewer', 'project', [
    'GET',
    ({org, project}) => `/orgs/${org}/service-keys?project=${project}`,
  ]),
  row('createServiceKey', 'admin', 'org', [
    'POST',
    ({org}) => `/orgs/${org}/service-keys`,
    () => ({name: 'new', ...role}),
  ]),
  row('createServiceKey', 'owner', 'org', [
    'POST',
    ({org}) => `/orgs/${org}/service-keys`,
    () => ({name: 'new', role: 'owner'}),
  ]),
  row('createServiceKey', 'admin', 'project', [
    'POST',
    ({org}) => `/orgs/${org}/service-keys`,
    ({project}) => ({name: 'new', ...role, project}),
  ]),
  row('getServiceKey', 'viewer', 'org', ['GET', ({serviceKey: id}) => `/service-keys/${id}`]),
  row('getServiceKey', 'viewer', 'project', [
    'GET',
    ({projectServiceKey: id}) => `/service-keys/${id}`,
  ]),
  row('revokeServiceKey', 'admin', 'org', ['DELETE', ({serviceKey: id}) => `/service-keys/${id}`]),
  row('revokeServiceKey', 'admin', 'project', [
    'DELETE',
    ({projectServiceKey: id}) => `/service-keys/${id}`,
  ]),
];

const money: readonly AccessRow[] = [
  row('listBudgets', 'viewer', 'org', ['GET', ({org}) => `/budgets?org=${org}`]),
  row('listBudgets', 'viewer', 'project', [
    'GET',
    ({org, project}) => `/budgets?org=${org}&project=${project}`,
  ]),
  row('createBudget', 'operator', 'org', ['POST', () => '/budgets', ({org}) => ({org, ...budget})]),
  row('createBudget', 'admin', 'project', [
    'POST',
    () => '/budgets',
    ({project}) => ({project, ...budget}),
  ]),
  row('createBudget', 'admin', 'project', [
    'POST',
    () => '/budgets',
    ({key}) => ({key, ...budget}),
  ]),
  ...(['budget', 'projectBudget', 'keyBudget'] as const).flatMap(kind => {
    const of = kind === 'budget' ? 'org' : 'project';
    const need = kind === 'budget' ? 'operator' : 'admin';
    return [
      row('getBudget', 'viewer', of, ['GET', ids => `/budgets/${ids[kind]}`]),
      row('listTopUps', 'viewer', of, ['GET', ids => `/budgets/${ids[kind]}/top-ups`]),
      row('changeBudget', need, of, [
        'PATCH',
        ids => `/budgets/${ids[kind]}`,
        () => ({paused: true}),
      ]),
      row('createTopUp', need, of, [
        'POST',
        ids => `/budgets/${ids[kind]}/top-ups`,
        () => ({amount: '1.00'}),
      ]),
    ];
  }),
  row('listLedger', 'viewer', 'org', ['GET', ({org}) => `/ledger?org=${org}`]),
  row('listLedger', 'viewer', 'project', ['GET', ({request}) => `/ledger?request=${request}`]),
  row('listLedger', 'viewer', 'org', [
    'GET',
    ({org, request}) => `/ledger?org=${org}&request=${request}`,
  ]),
  row('explainRequest', 'viewer', 'project', ['GET', ({request}) => `/requests/${request}`]),
  row('explainRequest', 'viewer', 'org', [
    'GET',
    ({org, refused: id}) => `/requests/${id}?org=${org}`,
  ]),
  row('getUsage', 'viewer', 'org', ['GET', ({org}) => `/usage?org=${org}&groupBy=org,project,key`]),
  row('getUsage', 'viewer', 'project', [
    'GET',
    ({project}) => `/usage?project=${project}&groupBy=org,key`,
  ]),
  row('getUsage', 'viewer', 'project', [
    'GET',
    ({org, project}) => `/usage?org=${org}&project=${project}`,
  ]),
  row('getUsage', 'operator', 'platform', ['GET', () => '/usage?groupBy=org']),
  row('exportUsage', 'viewer', 'org', ['GET', ({org}) => `/usage/export?org=${org}`]),
  row('exportUsage', 'viewer', 'project', [
    'GET',
    ({org, project}) => `/usage/export?org=${org}&project=${project}&format=json`,
  ]),
  row('getUsageRecord', 'viewer', 'org', [
    'GET',
    ({org, request}) => `/usage/records?org=${org}&request=${request}`,
  ]),
  row('verifyUsage', 'operator', 'platform', ['POST', () => '/usage/verify', invalid], {
    good: refused,
  }),
  row('listAudit', 'admin', 'org', ['GET', ({org}) => `/audit?org=${org}`]),
  row('listAudit', 'operator', 'platform', ['GET', () => '/audit']),
  row('getAudit', 'admin', 'org', ['GET', ({audit}) => `/audit/${audit}`]),
];

const platform: readonly AccessRow[] = [
  row('listDeadLetters', 'viewer', 'org', ['GET', ({org}) => `/dead-letters?org=${org}`]),
  row('listDeadLetters', 'operator', 'platform', ['GET', () => '/dead-letters']),
  row('getDeadLetter', 'viewer', 'org', ['GET', ({deadLetter: id}) => `/dead-letters/${id}`]),
  row('redriveDeadLetters', 'operator', 'platform', [
    'POST',
    () => '/dead-letters/redrive',
    ({org}) => ({org, dryRun: true}),
  ]),
  row('dropDeadLetters', 'operator', 'platform', [
    'POST',
    () => '/dead-letters/drop',
    ({org}) => ({org, dryRun: true}),
  ]),
  row('redriveDeadLetter', 'operator', 'platform', [
    'POST',
    ({deadLetter: id}) => `/dead-letters/${id}/redrive`,
  ]),
  row('dropDeadLetter', 'operator', 'platform', [
    'POST',
    ({deadLetter: id}) => `/dead-letters/${id}/drop`,
  ]),
  row('registerModel', 'operator', 'platform', ['POST', () => '/models', invalid], {good: refused}),
  row('listModels', 'operator', 'platform', ['GET', () => '/models']),
  row('getModel', 'operator', 'platform', ['GET', ({model}) => `/models/${model}`], {
    good: refused,
  }),
  row('changeModel', 'operator', 'platform', ['PATCH', ({model}) => `/models/${model}`, invalid], {
    good: refused,
  }),
  row('removeModel', 'operator', 'platform', ['DELETE', ({model}) => `/models/${model}`], {
    good: refused,
  }),
  row('enableModel', 'operator', 'platform', ['POST', ({model}) => `/models/${model}/enable`], {
    good: refused,
  }),
  row('disableModel', 'operator', 'platform', ['POST', ({model}) => `/models/${model}/disable`], {
    good: refused,
  }),
  row('probeModel', 'operator', 'platform', ['POST', ({model}) => `/models/${model}/probe`], {
    good: refused,
  }),
];

export const accessTable: readonly AccessRow[] = [
  ...tenancy,
  ...keys,
  ...people,
  ...money,
  ...platform,
];
