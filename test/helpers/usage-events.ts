/**
Events of the log as the usage function meets them. In: what a test wants different. Out: an event; a record of it.
*/
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {readRecord, type UsageRecord} from '../../functions/usage/record.ts';

export const someOrg = '0192f0c1-7a00-7000-8000-00000000000a';
export const otherOrg = '0192f0c1-7a00-7000-8000-0000000000aa';
export const someProject = '0192f0c1-7a00-7000-8000-00000000000b';
export const someKey = '0192f0c1-7a00-7000-8000-00000000000c';

export type Kind = 'started' | 'finished' | 'unsettled' | 'corrected';

const result = {outcome: 'completed', status: 200, latencyMs: 2345, timeToFirstTokenMs: 180};

/** Its request began at `at`, now unless said, and took 2.345 s. */
export const makeUsageEvent = (
  kind: Kind,
  {
    at = Date.now(),
    ...data
  }: {at?: number; request?: string; orgid?: string} & Record<string, unknown> = {},
): Event => {
  const request = data.request ?? uuidv7(at);
  const ended = new Date(at + 2_345).toISOString();
  const orgid = (data.orgid as string | undefined) ?? someOrg;
  return {
    specversion: '1.0',
    id: `${request}/${kind}`,
    source: kind === 'finished' || kind === 'started' ? '/functions/gateway' : '/functions/budget',
    type: `dev.sluice.inference.${kind}.v1`,
    orgid,
    partitionkey: orgid,
    data: {
      request,
      orgid,
      project: someProject,
      key: someKey,
      model: 'llama-3.1-8b',
      modelId: '0192f0c1-7a00-7000-8000-00000000000d',
      environment: 'production',
      endpoint: 'http://llama.models.svc.cluster.local',
      operation: 'chat.completions',
      streamed: true,
      priceVersion: 3,
      startedAt: new Date(at).toISOString(),
      ...(kind === 'unsettled'
        ? {settledAt: ended, policy: 'prompt', inputTokens: 103, outputTokens: 0, costNanos: 20_600}
        : {...result, finishedAt: ended, inputTokens: 103, outputTokens: 57, costNanos: 47_450}),
      cachedInputTokens: 0,
      estimated: kind === 'unsettled',
      ...data,
    },
  };
};

export const makeRecord = (kind: Kind, data: Parameters<typeof makeUsageEvent>[1] = {}) => {
  const reading = readRecord(makeUsageEvent(kind, data), Date.now());
  if (reading === 'ignored' || 'refused' in reading) {
    throw new Error(`the helper makes bad events: ${JSON.stringify(reading)}`);
  }
  return reading.record as UsageRecord;
};
