/**
Access tenant: an organisation with something of every kind in it, of the organisation itself, of one project and of another.

In: a connection of the superuser, a name. Out: the ids. `sibling` are the ids that a role in the first project must not reach.
*/
import type pg from 'pg';
import {makeApiKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';
import {insertTenantRows} from './tenant-rows.ts';

export const insertAccessTenant = async (pool: pg.Pool, name: string) => {
  const base = await insertTenantRows(pool, name);
  const audit = (
    await pool.query<{id: string}>('select id from audit where org_id = $1', [base.org])
  ).rows[0]?.id as string;
  const siblingProject = uuidv7();
  const siblingKey = uuidv7();
  const {org} = base;
  await pool.query('insert into projects (id, org_id, name) values ($1, $2, $3)', [
    siblingProject,
    org,
    `sibling of ${name}`,
  ]);
  await pool.query(
    `insert into keys (id, org_id, project_id, public_id, secret_hash, name)
     values ($1, $2, $3, $4, sha256(''), $5)`,
    [siblingKey, org, siblingProject, makeApiKey().publicId, `sibling of ${name}`],
  );
  const inProject = async (project: string, key: string, what: string) => {
    const [projectBudget, keyBudget, projectMember, user, projectGroupRole, projectServiceKey] = [
      ...Array.from({length: 6}, () => uuidv7()),
    ] as [string, string, string, string, string, string];
    await pool.query(
      `insert into budgets (id, org_id, project_id, key_id, unit, "limit", period)
       values ($1, $3, $4, null, 'usd', 1000000000, 'day'), ($2, $3, null, $5, 'usd', 1000000000, 'day')`,
      [projectBudget, keyBudget, org, project, key],
    );
    await pool.query('insert into users (id, email, name) values ($1, $2, $3)', [
      user,
      `${what}-of-${name}@example.org`,
      `${what} of ${name}`,
    ]);
    await pool.query(
      `insert into members (id, org_id, project_id, user_id, role) values ($1, $2, $3, $4, 'viewer')`,
      [projectMember, org, project, user],
    );
    await pool.query(
      `insert into group_roles (id, org_id, project_id, group_name, role) values ($1, $2, $3, $4, 'viewer')`,
      [projectGroupRole, org, project, `${what} of ${name}`],
    );
    await pool.query(
      `insert into service_keys (id, org_id, project_id, public_id, secret_hash, name, role)
       values ($1, $2, $3, $4, sha256(''), $5, 'viewer')`,
      [projectServiceKey, org, project, makeApiKey().publicId, `${what} of ${name}`],
    );
    const request = uuidv7();
    const refused = uuidv7();
    await pool.query(
      `insert into ledger select (jsonb_populate_record(l, jsonb_build_object('request', $2::uuid, 'project_id', $3::uuid, 'key_id', $4::uuid))).*
       from ledger l where request = $1`,
      [base.request, request, project, key],
    );
    await pool.query(
      `insert into refusals select (jsonb_populate_record(r, jsonb_build_object('request', $2::uuid, 'project_id', $3::uuid, 'key_id', $4::uuid))).*
       from refusals r where request = $1`,
      [base.refused, refused, project, key],
    );
    return {
      request,
      refused,
      project,
      key,
      projectBudget,
      keyBudget,
      projectMember,
      projectGroupRole,
      projectServiceKey,
    };
  };
  const first = await inProject(base.project, base.key, 'project');
  const ids = {...base, audit, ...first, request: base.request, refused: base.refused};
  return {
    name,
    ids,
    sibling: {...ids, ...(await inProject(siblingProject, siblingKey, 'sibling'))},
  };
};

export type AccessTenant = Awaited<ReturnType<typeof insertAccessTenant>>;
export type AccessIds = AccessTenant['ids'];
