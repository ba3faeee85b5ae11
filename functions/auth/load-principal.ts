/**
Load principal: keys, their tenants and every budget they count in, many in one statement. Runs as sluice_gateway.

A key that was rotated is found by two public ids; the previous one has the secret and the end of its overlap.
*/
import type {Queryable} from '../../events/database.ts';
import {type RateColumns, toRates} from '../../events/rates.ts';
import {gatherLoads, type LoadPrincipals} from './gather-loads.ts';
import type {Principal} from './principal.ts';
import type {LoadPrincipal} from './principals.ts';

const text = `
  with asked as (
    select id, public_id, secret_hash, expires_at from keys where public_id = any($1)
    union all
    select id, previous_public_id, previous_secret_hash, least(expires_at, previous_expires_at)
    from keys where previous_public_id = any($1))
  select k.id as key, k.org_id as org, k.project_id as project, a.public_id, a.secret_hash, k.models, k.environments, k.scopes,
         a.expires_at, k.revoked_at is not null as revoked,
         o.suspended_at is not null or o.deleted_at is not null as suspended, p.unsettled_policy,
         p.keep_results, to_jsonb(o) as org_rates, to_jsonb(p) as project_rates,
         k.requests_per_minute, k.tokens_per_minute, k.parallel_requests,
         least(k.max_output_tokens, p.max_output_tokens) as max_output_tokens,
         coalesce((select jsonb_agg(jsonb_build_object('id', b.id, 'unit', b.unit) order by b.id) from (
           select id, unit from budgets where org_id = k.org_id and key_id is null and project_id is null
           union all
           select id, unit from budgets where org_id = k.org_id and key_id is null and project_id = k.project_id
           union all
           select id, unit from budgets where org_id = k.org_id and key_id = k.id) b), '[]') as budgets
  from asked a join keys k on k.id = a.id join projects p on p.id = k.project_id join orgs o on o.id = k.org_id`;

type Row = RateColumns & {
  key: string;
  org: string;
  project: string;
  public_id: string;
  secret_hash: Buffer;
  models: string[] | null;
  environments: string[] | null;
  scopes: string[] | null;
  expires_at: Date | null;
  revoked: boolean;
  suspended: boolean;
  unsettled_policy: Principal['unsettledPolicy'];
  keep_results: boolean;
  org_rates: RateColumns;
  project_rates: RateColumns;
  max_output_tokens: number | null;
  budgets: Principal['budgets'];
};

/** Absent where nothing is limited, which is what the gateway looks at for every request. */
const ratesOf = (row: Row): Pick<Principal, 'rates'> => {
  const found = {
    org: toRates(row.org_rates),
    project: toRates(row.project_rates),
    key: toRates(row),
  };
  const limited = Object.entries(found).flatMap(([name, rates]) => (rates ? [[name, rates]] : []));
  return limited.length === 0 ? {} : {rates: Object.fromEntries(limited)};
};

const principalOf = (row: Row): Principal => ({
  org: row.org,
  project: row.project,
  key: row.key,
  publicId: row.public_id,
  secretHash: row.secret_hash,
  models: row.models,
  environments: row.environments,
  ...(row.scopes === null ? {} : {scopes: row.scopes}),
  expiresAtMs: row.expires_at ? row.expires_at.getTime() : null,
  revoked: row.revoked,
  suspended: row.suspended,
  unsettledPolicy: row.unsettled_policy,
  keepResults: row.keep_results,
  budgets: row.budgets,
  ...ratesOf(row),
  ...(row.max_output_tokens === null ? {} : {maxOutputTokens: row.max_output_tokens}),
});

const createPrincipalsLoader =
  (client: Queryable): LoadPrincipals =>
  async publicIds => {
    const {rows} = await client.query<Row>({name: 'principals', text, values: [publicIds]});
    return new Map(rows.map(row => [row.public_id, principalOf(row)]));
  };

/** Look-ups that come together are one statement. */
export const createPrincipalLoader = (client: Queryable): LoadPrincipal =>
  gatherLoads(createPrincipalsLoader(client));
