/**
Seed: what a storm is fought over: one organisation, a project, a key, a budget in US dollars and one in tokens, two models.

In: a superuser's connection, the cap, where the models listen. Out: their ids, and the key's text.
*/
import type pg from 'pg';
import {hashSecret, makeApiKey} from '../../../events/api-key.ts';
import {uuidv7} from '../../../events/uuid.ts';
import {models, tokenLimit} from './terms.ts';

export type Tenant = Readonly<{org: string; budget: string; tokenBudget: string; apiKey: string}>;

export const seedTenant = async (
  client: Pick<pg.ClientBase, 'query'>,
  {limitNanos, urls}: {limitNanos: number; urls: readonly string[]},
): Promise<Tenant> => {
  const [org, project, key, budget, tokenBudget] = [
    uuidv7(),
    uuidv7(),
    uuidv7(),
    uuidv7(),
    uuidv7(),
  ];
  const {text, publicId, secret} = makeApiKey();
  await client.query(`insert into orgs (id, name) values ($1, 'storm')`, [org]);
  await client.query(`insert into projects (id, org_id, name) values ($1, $2, 'storm')`, [
    project,
    org,
  ]);
  await client.query(
    `insert into keys (id, org_id, project_id, public_id, secret_hash, name) values ($1, $2, $3, $4, $5, 'storm')`,
    [key, org, project, publicId, hashSecret(secret)],
  );
  // Without a period, so that no run straddles midnight.
  await client.query(
    `insert into budgets (id, org_id, project_id, unit, "limit", period)
     values ($1, $3, null, 'usd', $5, 'none'), ($2, $3, $4, 'tokens', $6, 'none')`,
    [budget, tokenBudget, org, project, limitNanos, tokenLimit],
  );
  for (const [index, model] of models.entries()) {
    const id = uuidv7();
    await client.query(
      `insert into models (id, name, environment, status, context_length) values ($1, $2, 'development', 'ready', 8192)`,
      [id, model.name],
    );
    await client.query(
      'insert into prices (model_id, version, input_per_million, output_per_million) values ($1, 1, $2, $3)',
      [id, model.inputPerMillion, model.outputPerMillion],
    );
    await client.query(
      `insert into endpoints (id, model_id, url, upstream_model, usage, tokenize, health)
       values ($1, $2, $3, $4, $5, true, 'healthy')`,
      [uuidv7(), id, urls[index], model.name, model.usage],
    );
  }
  return {org, budget, tokenBudget, apiKey: text};
};
