/**
Seed: what the gateway needs to serve: an organisation, a project, a key, each with a budget and limits, and a model an upstream.

In: the database, the URLs of the model servers by name. Out: the key's text. The budgets are far from their limits, so
that leases are granted in full slices; the price is an ordinary one, so that they are used up and asked for again. The limits
are some times what the load asks for: nobody is refused, and permits are taken and given back all the time.
*/
import type pg from 'pg';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {uuidv7} from '../../events/uuid.ts';

const limitNanos = 1_000_000_000_000_000;
/** In the order of the columns: of 10,000 requests a second of 1,200 tokens, and 10,000 at once. */
const rates = [600_000, 720_000_000, 10_000];
const rateColumns = 'requests_per_minute, tokens_per_minute, parallel_requests';

export const seed = async (
  client: Pick<pg.ClientBase, 'query'>,
  models: Readonly<Record<string, string>>,
): Promise<string> => {
  const [org, project, key] = [uuidv7(), uuidv7(), uuidv7()];
  const {text, publicId, secret} = makeApiKey();
  await client.query(
    `insert into orgs (id, name, ${rateColumns}) values ($1, 'bench', $2, $3, $4)`,
    [org, ...rates],
  );
  await client.query(
    `insert into projects (id, org_id, name, ${rateColumns}) values ($1, $2, 'bench', $3, $4, $5)`,
    [project, org, ...rates],
  );
  await client.query(
    `insert into keys (id, org_id, project_id, public_id, secret_hash, name, ${rateColumns})
     values ($1, $2, $3, $4, $5, 'bench', $6, $7, $8)`,
    [key, org, project, publicId, hashSecret(secret), ...rates],
  );
  for (const [ofProject, ofKey] of [
    [null, null],
    [project, null],
    [null, key],
  ]) {
    await client.query(
      `insert into budgets (id, org_id, project_id, key_id, unit, "limit", period) values ($1, $2, $3, $4, 'usd', $5, 'month')`,
      [uuidv7(), org, ofProject, ofKey, limitNanos],
    );
  }
  for (const [name, url] of Object.entries(models)) {
    const model = uuidv7();
    await client.query(
      `insert into models (id, name, environment, status, context_length) values ($1, $2, 'development', 'ready', 8192)`,
      [model, name],
    );
    await client.query(
      `insert into prices (model_id, version, input_per_million, output_per_million) values ($1, 1, 200000000, 600000000)`,
      [model],
    );
    await client.query(
      `insert into endpoints (id, model_id, url, upstream_model, usage, tokenize, health)
       values ($1, $2, $3, $4, 'every-chunk', true, 'healthy')`,
      [uuidv7(), model, url, name],
    );
  }
  return text;
};
