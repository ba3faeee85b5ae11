/**
Store in PostgreSQL, as sluice_system. A model is read and written whole; triggers of the tables append to `changes`.
*/
import type pg from 'pg';
import {inNameOf, type Queryable} from '../../events/database.ts';
import {insertIntoOutbox} from '../../events/outbox.ts';
import {type RateColumns, toRates} from '../../events/rates.ts';
import type {
  Ability,
  Endpoint,
  Environment,
  Health,
  KubernetesObject,
  Model,
  Status,
} from './model.ts';
import type {ModelName, RegistryStore, RegistryTransaction} from './store.ts';

const selectText = `
  select m.id, m.name, m.environment, m.status, m.context_length, m.default_max_tokens, m.namespace, m.metadata,
         m.requests_per_minute, m.tokens_per_minute, m.parallel_requests,
         m.start_seconds, m.fallbacks, m.max_output_tokens,
         p.version, p.free, p.input_per_million, p.output_per_million, p.cached_input_per_million,
         p.input_gpu_ms_per_million, p.output_gpu_ms_per_million,
         coalesce((select jsonb_agg(to_jsonb(e) order by e.url) from endpoints e where e.model_id = m.id), '[]') as endpoints
  from models m
  join lateral (select * from prices where model_id = m.id order by version desc limit 1) p on true`;

type EndpointRow = {
  id: string;
  url: string;
  upstream_model: string;
  usage: Ability | null;
  tokenize: boolean;
  health: Health;
  health_at: string | null;
  health_reason: string | null;
  max_concurrency: number | null;
  object: KubernetesObject | null;
};

type Row = RateColumns & {
  id: string;
  name: string;
  environment: Environment;
  status: Status;
  context_length: number | null;
  default_max_tokens: number;
  namespace: string | null;
  metadata: Record<string, unknown>;
  start_seconds: number | null;
  fallbacks: string[];
  max_output_tokens: number | null;
  version: number;
  free: boolean;
  input_per_million: bigint | string;
  output_per_million: bigint | string;
  cached_input_per_million: bigint | string | null;
  input_gpu_ms_per_million: bigint | string;
  output_gpu_ms_per_million: bigint | string;
  endpoints: EndpointRow[];
};

const knownText = `
  select m.environment, m.name from models m
  join unnest($1::text[], $2::text[]) as asked (environment, name) using (environment, name)`;

const saveText = `
  insert into models (id, name, environment, status, context_length, default_max_tokens, namespace, metadata,
                      requests_per_minute, tokens_per_minute, parallel_requests,
                      start_seconds, fallbacks, max_output_tokens)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
  on conflict (id) do update set status = excluded.status, context_length = excluded.context_length,
    default_max_tokens = excluded.default_max_tokens, namespace = excluded.namespace, metadata = excluded.metadata,
    requests_per_minute = excluded.requests_per_minute, tokens_per_minute = excluded.tokens_per_minute,
    parallel_requests = excluded.parallel_requests, start_seconds = excluded.start_seconds,
    fallbacks = excluded.fallbacks, max_output_tokens = excluded.max_output_tokens`;

const saveEndpointsText = `
  insert into endpoints (id, model_id, url, upstream_model, usage, tokenize, health, health_at, health_reason,
                         max_concurrency, object)
  select e.id, $1, e.url, e.upstream_model, e.usage, e.tokenize, e.health, e.health_at, e.health_reason,
         e.max_concurrency, e.object
  from unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::timestamptz[], $9::text[],
              $10::integer[], $11::jsonb[])
    as e (id, url, upstream_model, usage, tokenize, health, health_at, health_reason, max_concurrency, object)
  on conflict (id) do update set upstream_model = excluded.upstream_model, usage = excluded.usage,
    tokenize = excluded.tokenize, health = excluded.health, health_at = excluded.health_at,
    health_reason = excluded.health_reason, max_concurrency = excluded.max_concurrency, object = excluded.object`;

const savePriceText = `
  insert into prices (model_id, version, free, input_per_million, output_per_million, cached_input_per_million,
                      input_gpu_ms_per_million, output_gpu_ms_per_million)
  values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing`;

/** Locks a name that may not exist yet, so that two who register it come one after the other. */
const lockNameText = `select pg_advisory_xact_lock(hashtextextended('model ' || $1 || ' ' || $2, 0))`;

const lockObjectText = `select pg_advisory_xact_lock(hashtextextended('object ' || $1, 0))`;

const byObjectText = `
  select m.environment, m.name from endpoints e join models m on m.id = e.model_id where e.object ->> 'ref' = $1`;

export const createPostgresStore = (pool: pg.Pool): RegistryStore => ({
  list: ({environment, status, after}, limit) =>
    select(
      pool,
      `where ($1::text is null or m.environment = $1) and ($2::text is null or m.status = $2)
         and ($4::text is null or (m.environment, m.name) > ($4, $5::text))
       order by m.environment, m.name limit $3`,
      [environment ?? null, status ?? null, limit, after?.environment ?? null, after?.name ?? null],
    ),
  async known(names) {
    const {rows} = await pool.query<ModelName>(knownText, [
      names.map(({environment}) => environment),
      names.map(({name}) => name),
    ]);
    return rows;
  },
  find: async id => (await select(pool, 'where m.id = $1', [id]))[0],
  findByEndpoint: async endpoint =>
    (
      await select(pool, 'where m.id = (select model_id from endpoints where id = $1)', [endpoint])
    )[0],
  change: (work, actor) => inNameOf(pool, actor)(client => work(createTransaction(client))),
});

const createTransaction = (client: pg.PoolClient): RegistryTransaction => ({
  async lock(by) {
    if ('id' in by) {
      await client.query('select from models where id = $1 for update', [by.id]);
      return (await select(client, 'where m.id = $1', [by.id]))[0];
    }
    const values = [by.environment, by.name];
    await client.query(lockNameText, values);
    await client.query(
      'select from models where environment = $1 and name = $2 for update',
      values,
    );
    return (await select(client, 'where m.environment = $1 and m.name = $2', values))[0];
  },
  async lockObject(ref) {
    await client.query(lockObjectText, [ref]);
    return (await client.query<ModelName>(byObjectText, [ref])).rows[0];
  },
  async save(model) {
    const {id, endpoints, price} = model;
    const {name, environment, status, contextLength, defaultMaxTokens, namespace, metadata} = model;
    const values = [id, name, environment, status, contextLength, defaultMaxTokens, namespace];
    const {requests = null, tokens = null, parallel = null} = model.rates ?? {};
    const {startSeconds, fallbacks, maxOutputTokens} = model;
    const rates = [requests, tokens, parallel];
    const rest = [startSeconds, fallbacks, maxOutputTokens];
    await client.query(saveText, [...values, JSON.stringify(metadata), ...rates, ...rest]);
    await client.query('delete from endpoints where model_id = $1 and id <> all ($2::uuid[])', [
      id,
      endpoints.map(endpoint => endpoint.id),
    ]);
    await client.query(saveEndpointsText, [
      id,
      endpoints.map(endpoint => endpoint.id),
      endpoints.map(endpoint => endpoint.url),
      endpoints.map(endpoint => endpoint.upstreamModel),
      endpoints.map(endpoint => endpoint.usage),
      endpoints.map(endpoint => endpoint.tokenize),
      endpoints.map(endpoint => endpoint.health),
      endpoints.map(endpoint => endpoint.healthAt),
      endpoints.map(endpoint => endpoint.healthReason),
      endpoints.map(endpoint => endpoint.maxConcurrency),
      endpoints.map(({object}) => object && JSON.stringify(object)),
    ]);
    await client.query(savePriceText, [
      id,
      model.priceVersion,
      price.free,
      String(price.inputPerMillion),
      String(price.outputPerMillion),
      price.cachedInputPerMillion === null ? null : String(price.cachedInputPerMillion),
      String(price.inputGpuMsPerMillion),
      String(price.outputGpuMsPerMillion),
    ]);
  },
  async remove(id) {
    await client.query('delete from models where id = $1', [id]);
  },
  async revision() {
    const {rows} = await client.query<{value: bigint | string}>('select value from revision');
    return BigInt(rows[0]?.value ?? 0);
  },
  emit: events =>
    insertIntoOutbox(
      client,
      events.map(event => ({destination: 'broker:default', event})),
    ),
});

const select = async (client: Queryable, tail: string, values: unknown[]): Promise<Model[]> => {
  const {rows} = await client.query<Row>(`${selectText} ${tail}`, values);
  return rows.map(toModel);
};

const ratesOf = (row: Row): Pick<Model, 'rates'> => {
  const rates = toRates(row);
  return rates ? {rates} : {};
};

const toModel = (row: Row): Model => ({
  ...ratesOf(row),
  id: row.id,
  name: row.name,
  environment: row.environment,
  status: row.status,
  contextLength: row.context_length,
  defaultMaxTokens: row.default_max_tokens,
  namespace: row.namespace,
  metadata: row.metadata,
  startSeconds: row.start_seconds,
  fallbacks: row.fallbacks,
  maxOutputTokens: row.max_output_tokens,
  price: {
    free: row.free,
    inputPerMillion: BigInt(row.input_per_million),
    outputPerMillion: BigInt(row.output_per_million),
    cachedInputPerMillion:
      row.cached_input_per_million === null ? null : BigInt(row.cached_input_per_million),
    inputGpuMsPerMillion: BigInt(row.input_gpu_ms_per_million),
    outputGpuMsPerMillion: BigInt(row.output_gpu_ms_per_million),
  },
  priceVersion: row.version,
  endpoints: row.endpoints.map(toEndpoint),
});

const toEndpoint = (row: EndpointRow): Endpoint => ({
  id: row.id,
  url: row.url,
  upstreamModel: row.upstream_model,
  usage: row.usage,
  tokenize: row.tokenize,
  health: row.health,
  healthAt: row.health_at === null ? null : new Date(row.health_at).toISOString(),
  healthReason: row.health_reason,
  maxConcurrency: row.max_concurrency,
  object: row.object,
});
