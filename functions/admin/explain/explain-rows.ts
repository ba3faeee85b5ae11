/**
Explain's rows: what the database knows of one request, read in one transaction as its organisation.

In: a client that works for an organisation, the request's id. Out: the rows; those of others are not seen.
*/
import type pg from 'pg';
import type {PriceColumns} from '../../../events/price.ts';
import {type RateColumns, rateView} from '../../../events/rates.ts';
import type {InferenceStarted} from '../../../events/types.ts';
import {monthOf} from '../../../events/uuid.ts';
import {type LedgerRow as LedgerEntryRow, ledgerColumns} from '../money/ledger.ts';

export type OpenRow = Readonly<{deadline: Date; intent: InferenceStarted; covered: boolean[]}>;
/** What tells who asked for what. */
type About = Readonly<{project: string; key: string; environment: string; model: string}>;
export type LedgerRow = LedgerEntryRow &
  Readonly<{project: string; key: string; model_id: string; traceparent: string | null}>;
export type UsageRow = About &
  Readonly<{
    endpoint: string;
    operation: string;
    streamed: boolean;
    at: Date;
    finished_at: Date;
    outcome: string;
    status: number | null;
    latency_ms: number | null;
    time_to_first_token_ms: number | null;
    tries: number | null;
    label: string | null;
    traceparent: string | null;
    model_id: string;
  }>;
export type RefusalRow = Readonly<{
  project: string;
  key: string;
  gateway: string;
  environment: string | null;
  model: string | null;
  operation: string;
  streamed: boolean | null;
  status: number;
  code: string;
  parameter: string | null;
  reason: string;
  retry_after_seconds: number | null;
  trace: string | null;
  duration_ms: number;
  at: Date;
}>;
export type LetterRow = Readonly<{
  id: string;
  event_id: string;
  subscription: string;
  reason: string;
  proved: boolean;
  dead_at: Date;
  redriven_at: Date | null;
  dropped_at: Date | null;
}>;

type LimitsRow = RateColumns & {scope: string; max_output_tokens: number | null};

const limitsView = (row: LimitsRow) => ({
  ...rateView(row),
  ...(row.max_output_tokens === null ? {} : {maxOutputTokens: row.max_output_tokens}),
});

const openText = 'select deadline, intent, covered from requests where id = $1';
const ledgerText = `
  select ${ledgerColumns}, model_id, project_id as project, key_id as key, traceparent
  from ledger where month = $2 and request = $1 order by settled_at, entry`;
const usageText = `
  select project_id as project, key_id as key, environment, model, model_id, endpoint, operation, streamed, at, finished_at,
         outcome, status, latency_ms, time_to_first_token_ms, tries, label, traceparent
  from usage_records where month = $2 and request = $1`;
const refusalText = `
  select project_id as project, key_id as key, gateway_id as gateway, environment, model, operation, streamed, status, code,
         parameter, reason, retry_after_seconds, trace, duration_ms, at
  from refusals where request = $1`;
const lettersText = `
  select id, event_id, subscription, reason, proved, dead_at, redriven_at, dropped_at from dead_letters
  where event_id in ($1 || '/started', $1 || '/finished', $1 || '/unsettled', $1 || '/corrected')
  order by dead_at, id limit 100`;
const priceText = `
  select free, input_per_million, output_per_million, cached_input_per_million, input_gpu_ms_per_million, output_gpu_ms_per_million
  from prices where model_id = $1 and version = $2`;
const limitsText = `
  select 'org' as scope, requests_per_minute, tokens_per_minute, parallel_requests, null::integer as max_output_tokens
  from orgs where id = $1
  union all select 'project', requests_per_minute, tokens_per_minute, parallel_requests, max_output_tokens from projects where id = $2
  union all select 'key', requests_per_minute, tokens_per_minute, parallel_requests, max_output_tokens from keys where id = $3
  union all select 'model', requests_per_minute, tokens_per_minute, parallel_requests, max_output_tokens
  from models where name = $4 and environment = $5`;

export const readRequest = async (client: pg.PoolClient, org: string, request: string) => {
  const month = monthOf(request);
  const all = async <Row extends pg.QueryResultRow>(text: string, values: unknown[]) =>
    (await client.query<Row>(text, values)).rows;
  const [open] = await all<OpenRow>(openText, [request]);
  const ledger = await all<LedgerRow>(ledgerText, [request, month]);
  const [usage] = await all<UsageRow>(usageText, [request, month]);
  const [refusal] = await all<RefusalRow>(refusalText, [request]);
  const letters = await all<LetterRow>(lettersText, [request]);
  const about = usage ?? open?.intent ?? ledger[0] ?? refusal;
  const [price] = await all<PriceColumns>(priceText, [
    ledger[0]?.model_id ?? open?.intent.modelId ?? null,
    ledger[0]?.price_version ?? open?.intent.priceVersion ?? null,
  ]);
  const limits = await all<LimitsRow>(limitsText, [
    org,
    about?.project ?? null,
    about?.key ?? null,
    about?.model ?? null,
    about?.environment ?? null,
  ]);
  return {
    open,
    ledger,
    usage,
    refusal,
    letters,
    price,
    limits: Object.fromEntries(limits.map(row => [row.scope, limitsView(row)])),
  };
};
