/**
External: the record of a request that another router served.

In: its usage, its terms. Out: a record like an inference's. The endpoint is the router, and the cost is ours: by the same terms
the debit charged it, by the same rule.
*/
import type {Terms} from '../../events/external-terms.ts';
import type {ExternalUsage} from '../../events/external-usage.ts';
import {costOf} from '../../events/price.ts';
import type {UsageRecord} from './record.ts';

export const externalRecord = (
  usage: ExternalUsage,
  {project, key, modelId, price}: Terms,
): UsageRecord => ({
  month: usage.month,
  request: usage.request,
  org: usage.org,
  project,
  key,
  model: usage.model,
  modelId,
  environment: usage.environment,
  endpoint: usage.source,
  operation: usage.operation,
  streamed: usage.streamed,
  at: usage.at,
  finishedAt: new Date(Date.parse(usage.at) + (usage.latencyMs ?? 0)).toISOString(),
  outcome: usage.outcome,
  status: usage.status ?? null,
  inputTokens: usage.inputTokens,
  cachedInputTokens: usage.cachedInputTokens,
  outputTokens: usage.outputTokens,
  costNanos: costOf('usd', price, usage),
  estimated: false,
  latencyMs: usage.latencyMs ?? null,
  timeToFirstTokenMs: usage.timeToFirstTokenMs ?? null,
  tries: null,
  label: usage.label ?? null,
  traceparent: usage.traceparent ?? null,
});
