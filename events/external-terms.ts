/**
External terms: whose the usage of another router is, and by which price it is charged.

In: usage; what tenants, models and prices say of it. Out: terms, or why there are none. The price is the one in force at the
usage's instant, the first one for what was before it. Nothing that terms are made of ever changes (versions of a price are
only added, with a later instant), so whoever asks, and whenever, is told the same.
*/
import type {Queryable} from './database.ts';
import type {ExternalUsage} from './external-usage.ts';
import {requestNanosMax} from './limits.ts';
import {costOf, type Price, type PriceColumns, toPrice} from './price.ts';

/** In place of a key where the router named none: a UUIDv8 of our own making (RFC 9562, 5.8), so that it fits wherever ids are asked for. */
export const noKey = '00000000-0000-8000-8000-000000000000';

/** Whose it is and by which price it is charged. */
export type Terms = Readonly<{
  project: string;
  key: string;
  modelId: string;
  priceVersion: number;
  price: Price;
}>;

/** In: usage. Out: terms, or why there are none, in the same order. */
export type FindTerms = (usage: readonly ExternalUsage[]) => Promise<(Terms | string)[]>;

/** What a store knows of who and what a record names; null is unknown. */
export type Facts = Readonly<{
  org: string | null;
  /** The one that was named, else the key's, else the organisation's oldest. */
  project: string | null;
  key: string | null;
  key_project: string | null;
  model: string | null;
  version: number | null;
}> &
  PriceColumns;

export const termsOf = (usage: ExternalUsage, facts: Facts): Terms | string => {
  if (facts.org === null) {
    return 'orgid: expected an organisation that is known';
  }
  if (usage.key !== undefined && facts.key === null) {
    return 'data.key: expected a key of the organisation';
  }
  if (facts.project === null) {
    return usage.project === undefined
      ? 'data.project: expected one, because the organisation has none'
      : 'data.project: expected a project of the organisation';
  }
  if (facts.key_project !== null && facts.key_project !== facts.project) {
    return 'data.key: expected a key of the project';
  }
  if (facts.model === null || facts.version === null) {
    return `data.model: expected a model with a price, registered in ${usage.environment}`;
  }
  const price = toPrice(facts);
  return costOf('usd', price, usage) >= requestNanosMax
    ? 'data: expected tokens that one request can cost'
    : {
        project: facts.project,
        key: facts.key ?? noKey,
        modelId: facts.model,
        priceVersion: facts.version,
        price,
      };
};

const factsText = `
  select o.id as org, p.id as project, k.id as key, k.project_id as key_project, m.id as model, c.version, c.free,
    c.input_per_million, c.output_per_million, c.cached_input_per_million, c.input_gpu_ms_per_million, c.output_gpu_ms_per_million
  from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
    with ordinality as r (org, project, key, model, environment, at, place)
  left join orgs o on o.id = r.org
  left join keys k on k.id = r.key and k.org_id = r.org
  left join lateral (
    select id from projects where org_id = r.org and id = coalesce(r.project, k.project_id, id)
    order by created_at, id limit 1) p on true
  left join models m on m.name = r.model and m.environment = r.environment
  left join lateral (
    select * from prices where model_id = m.id
    order by created_at <= r.at desc, case when created_at <= r.at then -version else version end limit 1) c on true
  order by r.place`;

export const findTermsIn =
  (client: Queryable): FindTerms =>
  async usage => {
    if (usage.length === 0) {
      return [];
    }
    const {rows} = await client.query<Facts>({
      name: 'external-usage-facts',
      text: factsText,
      values: [
        usage.map(one => one.org),
        usage.map(one => one.project ?? null),
        usage.map(one => one.key ?? null),
        usage.map(one => one.model),
        usage.map(one => one.environment),
        usage.map(one => one.at),
      ],
    });
    return usage.map((one, index) => termsOf(one, rows[index] as Facts));
  };
