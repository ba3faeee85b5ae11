/**
Load principal: one key, its tenant and every budget it counts in, in one statement. Runs as sluice_gateway.
*/
import type {Queryable} from '../../events/database.ts';
import type {Principal} from './principal.ts';
import type {LoadPrincipal} from './principals.ts';

const text = `
  select k.id as key, k.org_id as org, k.project_id as project, k.public_id, k.secret_hash, k.models, k.environments,
         k.expires_at, k.revoked_at is not null as revoked, o.suspended_at is not null as suspended, p.unsettled_policy,
         p.keep_results,
         coalesce((select jsonb_agg(jsonb_build_object('id', b.id, 'unit', b.unit) order by b.id) from budgets b
                   where b.org_id = k.org_id
                     and (b.project_id is null or b.project_id = k.project_id)
                     and (b.key_id is null or b.key_id = k.id)), '[]') as budgets
  from keys k join projects p on p.id = k.project_id join orgs o on o.id = k.org_id
  where k.public_id = $1`;

type Row = {
  key: string;
  org: string;
  project: string;
  public_id: string;
  secret_hash: Buffer;
  models: string[] | null;
  environments: string[] | null;
  expires_at: Date | null;
  revoked: boolean;
  suspended: boolean;
  unsettled_policy: Principal['unsettledPolicy'];
  keep_results: boolean;
  budgets: Principal['budgets'];
};

export const createPrincipalLoader =
  (client: Queryable): LoadPrincipal =>
  async publicId => {
    const {rows} = await client.query<Row>({name: 'principal', text, values: [publicId]});
    const row = rows[0];
    return (
      row && {
        org: row.org,
        project: row.project,
        key: row.key,
        publicId: row.public_id,
        secretHash: row.secret_hash,
        models: row.models,
        environments: row.environments,
        expiresAtMs: row.expires_at ? row.expires_at.getTime() : null,
        revoked: row.revoked,
        suspended: row.suspended,
        unsettledPolicy: row.unsettled_policy,
        keepResults: row.keep_results,
        budgets: row.budgets,
      }
    );
  };
