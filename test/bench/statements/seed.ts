/**
Seed: one organisation and project with many keys, three budgets over each request: organisation, project, the key's own.

In: the database, how many keys, the model server. Out: the keys' texts, the one that will ask most first.
*/
import type pg from 'pg';
import {hashSecret, makeApiKey} from '../../../events/api-key.ts';
import {uuidv7} from '../../../events/uuid.ts';

/** $1,000,000: leases are granted in full slices. */
const limitNanos = 1_000_000_000_000_000;

export const seedModel = async (client: Pick<pg.ClientBase, 'query'>, url: string) => {
  const model = uuidv7();
  await client.query(
    `insert into models (id, name, environment, status, context_length) values ($1, 'bench', 'development', 'ready', 8192)`,
    [model],
  );
  await client.query(
    'insert into prices (model_id, version, input_per_million, output_per_million) values ($1, 1, 200000000, 600000000)',
    [model],
  );
  await client.query(
    `insert into endpoints (id, model_id, url, upstream_model, usage, tokenize, health)
     values ($1, $2, $3, 'bench', 'every-chunk', true, 'healthy')`,
    [uuidv7(), model, url],
  );
};

export const seedKeys = async (
  client: Pick<pg.ClientBase, 'query'>,
  count: number,
): Promise<string[]> => {
  const [org, project] = [uuidv7(), uuidv7()];
  const made = Array.from({length: count}, () => ({id: uuidv7(), ...makeApiKey()}));
  await client.query('insert into orgs (id, name) values ($1, $1::uuid::text)', [org]);
  await client.query(`insert into projects (id, org_id, name) values ($1, $2, 'bench')`, [
    project,
    org,
  ]);
  await client.query(
    `insert into keys (id, org_id, project_id, public_id, secret_hash, name)
     select id, $1, $2, public_id, secret_hash, 'bench'
     from unnest($3::uuid[], $4::text[], $5::bytea[]) made (id, public_id, secret_hash)`,
    [
      org,
      project,
      made.map(({id}) => id),
      made.map(({publicId}) => publicId),
      made.map(({secret}) => hashSecret(secret)),
    ],
  );
  await client.query(
    `insert into budgets (id, org_id, project_id, key_id, unit, "limit", period)
     select id, $1, project_id, key_id, 'usd', $2, 'month'
     from unnest($3::uuid[], $4::uuid[], $5::uuid[]) made (id, project_id, key_id)`,
    [
      org,
      limitNanos,
      [uuidv7(), uuidv7(), ...made.map(() => uuidv7())],
      [null, project, ...made.map(() => null)],
      [null, null, ...made.map(({id}) => id)],
    ],
  );
  return made.map(({text}) => text);
};
