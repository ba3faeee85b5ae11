/**
Load models: the models of an environment that may be routed to, in one statement. Any role that may select them will do.
*/
import type {Queryable} from '../../events/database.ts';
import {type PriceColumns, toPrice} from '../../events/price.ts';
import {type RateColumns, toRates} from '../../events/rates.ts';
import type {EndpointEntry, Environment, ModelEntry} from './catalogue.ts';

const text = `
  select m.id, m.name, m.environment, m.status, m.context_length, m.default_max_tokens, m.tokens_per_byte_max,
         m.requests_per_minute, m.tokens_per_minute, m.parallel_requests,
         m.start_seconds, m.fallbacks, m.max_output_tokens,
         p.version, p.free, p.input_per_million, p.output_per_million, p.cached_input_per_million,
         p.input_gpu_ms_per_million, p.output_gpu_ms_per_million,
         coalesce((select jsonb_agg(jsonb_build_object('id', e.id, 'url', e.url, 'upstreamModel', e.upstream_model,
                                                       'usage', coalesce(e.usage, 'none'), 'tokenize', e.tokenize,
                                                       'health', e.health)
                                   || case when e.max_concurrency is null then '{}'
                                      else jsonb_build_object('maxConcurrency', e.max_concurrency) end order by e.url)
                   from endpoints e where e.model_id = m.id), '[]') as endpoints
  from models m
  join lateral (select * from prices where model_id = m.id order by version desc limit 1) p on true
  where m.environment = $1 and m.status = 'ready'
  order by m.name`;

type Row = PriceColumns &
  RateColumns & {
    id: string;
    name: string;
    environment: Environment;
    status: ModelEntry['status'];
    context_length: number;
    default_max_tokens: number;
    tokens_per_byte_max: number;
    start_seconds: number | null;
    fallbacks: string[];
    max_output_tokens: number | null;
    version: number;
    endpoints: EndpointEntry[];
  };

const ratesOf = (row: Row): Pick<ModelEntry, 'rates'> => {
  const rates = toRates(row);
  return rates ? {rates} : {};
};

/** Absent where nothing is said: that is the usual, and what the gateway looks at for every request. */
const optionsOf = ({start_seconds, fallbacks, max_output_tokens}: Row) => ({
  ...(start_seconds === null ? {} : {startSeconds: start_seconds}),
  ...(fallbacks.length === 0 ? {} : {fallbacks}),
  ...(max_output_tokens === null ? {} : {maxOutputTokens: max_output_tokens}),
});

export const createModelLoader =
  (client: Queryable, environment: Environment) => async (): Promise<ModelEntry[]> => {
    const {rows} = await client.query<Row>({name: 'models', text, values: [environment]});
    return rows.map(row => ({
      ...ratesOf(row),
      ...optionsOf(row),
      id: row.id,
      name: row.name,
      environment: row.environment,
      status: row.status,
      contextLength: row.context_length,
      defaultMaxTokens: row.default_max_tokens,
      tokensPerByteMax: row.tokens_per_byte_max,
      priceVersion: row.version,
      price: toPrice(row),
      endpoints: row.endpoints,
    }));
  };
