/**
External usage: events of another router, and a small world of tenants, models and prices for them, in memory and in PostgreSQL.
*/
import type pg from 'pg';
import type {Event} from '../../events/event.ts';
import type {Registry} from '../../events/external-terms-memory.ts';
import {uuidv7} from '../../events/uuid.ts';
import {key, modelId, org, price, project} from './budget.ts';

export const otherProject = '0192f0c1-7a00-7000-8000-0000000000b2';
export const otherOrg = '0192f0c1-7a00-7000-8000-0000000000aa';
export const otherKey = '0192f0c1-7a00-7000-8000-0000000000cc';
const dearModel = '0192f0c1-7a00-7000-8000-0000000000d2';
/** Of an organisation that has no project. */
export const bareOrg = '0192f0c1-7a00-7000-8000-0000000000ab';

export const someSource = '/litellm/production';
/** When the model's price rose: the second version costs twice as much. */
export const dearerSince = new Date(Date.now() - 86_400_000).toISOString();
const registeredAt = new Date(Date.now() - 60 * 86_400_000).toISOString();
const dearer = {
  ...price,
  inputPerMillion: price.inputPerMillion * 2,
  outputPerMillion: price.outputPerMillion * 2,
};

/** 10 tokens in, 5 out: 5,000 nano-USD before the price rose, 10,000 since. */
export const recorded = (
  data: Readonly<Record<string, unknown>> = {},
  attributes: Partial<Event> = {},
): Event => ({
  specversion: '1.0',
  id: uuidv7(),
  source: someSource,
  type: 'dev.sluice.usage.recorded.v1',
  orgid: org,
  partitionkey: org,
  datacontenttype: 'application/json',
  ...attributes,
  data: {
    request: `chatcmpl-${uuidv7()}`,
    at: new Date().toISOString(),
    model: 'llama-3.1-8b',
    environment: 'production',
    inputTokens: 10,
    outputTokens: 5,
    outcome: 'completed',
    ...data,
  },
});

const projects = [
  {id: project, org},
  {id: otherProject, org},
  {id: uuidv7(), org: otherOrg},
];
const keys = [
  {id: key, org, project},
  {id: otherKey, org: otherOrg, project: (projects[2] as {id: string}).id},
];
const models = [
  {id: modelId, name: 'llama-3.1-8b', environment: 'production'},
  {id: dearModel, name: 'without a price', environment: 'production'},
];
const prices = [
  {model: modelId, version: 1, price, createdAt: registeredAt},
  {model: modelId, version: 2, price: dearer, createdAt: dearerSince},
];

export const seedRegistry = (registry: Registry) => {
  for (const id of [org, otherOrg, bareOrg]) {
    registry.orgs.add(id);
  }
  registry.projects.push(...projects);
  registry.keys.push(...keys);
  registry.models.push(...models);
  registry.prices.push(...prices);
};

/** As a superuser. */
export const seedTables = async (root: pg.Pool) => {
  for (const id of [org, otherOrg, bareOrg]) {
    await root.query(
      'insert into orgs (id, name) values ($1::uuid, $1::text) on conflict do nothing',
      [id],
    );
  }
  for (const [index, row] of projects.entries()) {
    await root.query(
      `insert into projects (id, org_id, name, created_at) values ($1::uuid, $2, $1::text, now() + make_interval(secs => $3))`,
      [row.id, row.org, index],
    );
  }
  for (const row of keys) {
    await root.query(
      `insert into keys (id, org_id, project_id, public_id, secret_hash, name)
       values ($1::uuid, $2, $3, $1::text, sha256($1::text::bytea), 'one')`,
      [row.id, row.org, row.project],
    );
  }
  for (const row of models) {
    await root.query(
      'insert into models (id, name, environment) values ($1, $2, $3) on conflict do nothing',
      [row.id, row.name, row.environment],
    );
  }
  for (const row of prices) {
    await root.query(
      `insert into prices (model_id, version, input_per_million, output_per_million, created_at) values ($1, $2, $3, $4, $5)
       on conflict (model_id, version) do update set created_at = excluded.created_at`,
      [
        row.model,
        row.version,
        row.price.inputPerMillion,
        row.price.outputPerMillion,
        row.createdAt,
      ],
    );
  }
};
