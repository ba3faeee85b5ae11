/**
Budget: windows, leases and events of the money path for tests, with sound defaults. Amounts are small numbers.
*/
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {LeaseRow, WindowRow} from '../../functions/budget/store.ts';

export const org = '0192f0c1-7a00-7000-8000-00000000000a';
export const project = '0192f0c1-7a00-7000-8000-00000000000b';
export const key = '0192f0c1-7a00-7000-8000-00000000000c';
export const modelId = '0192f0c1-7a00-7000-8000-00000000000d';

/** 200 nano-USD a token in, 600 out. */
export const price = {
  free: false,
  inputPerMillion: 200_000_000,
  outputPerMillion: 600_000_000,
  inputGpuMsPerMillion: 0,
  outputGpuMsPerMillion: 0,
};

export type Use = {window: WindowRow; lease: string; hold: number; amount?: number};

export const window = (fields: Partial<WindowRow> = {}): WindowRow => ({
  id: uuidv7(),
  org,
  budget: uuidv7(),
  unit: 'usd',
  thresholds: [50, 80, 100],
  thresholdReached: 0,
  limit: 1_000n,
  ceiling: fields.limit ?? 1_000n,
  spent: 0n,
  leased: 0n,
  overage: 0n,
  ...fields,
});

export const lease = (window: WindowRow, fields: Partial<LeaseRow> = {}): LeaseRow => ({
  id: uuidv7(),
  org: window.org,
  window: window.id,
  state: 'open',
  granted: 100n,
  settled: 0n,
  returned: 0n,
  open: 0n,
  ...fields,
});

const about = (request: string, organisation: string) => ({
  request,
  orgid: organisation,
  project,
  key,
  model: 'llama-3.1-8b',
  modelId,
  environment: 'production',
  endpoint: 'http://llama.models.svc.cluster.local',
  operation: 'chat.completions',
  streamed: true,
  priceVersion: 1,
  startedAt: '2026-11-21T10:00:00.000Z',
});

const named = ({window, lease, hold}: Use) => ({
  budget: window.budget,
  window: window.id,
  lease,
  unit: window.unit,
  hold,
});

const event = (
  type: string,
  id: string,
  from: string,
  data: object,
  organisation: string,
): Event => ({
  specversion: '1.0',
  id,
  source: `/functions/${from}`,
  type: `dev.sluice.${type}.v1`,
  orgid: organisation,
  partitionkey: organisation,
  datacontenttype: 'application/json',
  data,
});

export const started = (
  request: string,
  uses: readonly Use[],
  fields: object = {},
  organisation = org,
) =>
  event(
    'inference.started',
    `${request}/started`,
    'gateway',
    {
      ...about(request, organisation),
      deadline: '2026-11-21T10:10:00.000Z',
      promptBytes: 40,
      unsettledPolicy: 'prompt',
      budgets: uses.map(named),
      ...fields,
    },
    organisation,
  );

export const finished = (
  request: string,
  uses: readonly Use[],
  fields: object = {},
  organisation = org,
) =>
  event(
    'inference.finished',
    `${request}/finished`,
    'gateway',
    {
      ...about(request, organisation),
      finishedAt: '2026-11-21T10:00:02.345Z',
      outcome: 'completed',
      status: 200,
      inputTokens: 10,
      cachedInputTokens: 0,
      outputTokens: 5,
      costNanos: uses.find(use => use.window.unit === 'usd')?.amount ?? 0,
      estimated: false,
      latencyMs: 2345,
      budgets: uses.map(use => ({...named(use), amount: use.amount ?? 0})),
      ...fields,
    },
    organisation,
  );

export const fenced = (lease: string, window: string, organisation = org) =>
  event('lease.fenced', `${lease}/fenced`, 'budget', {lease, window}, organisation);

export const due = (dueBefore: string, organisation = org) =>
  event(
    'settlement.due',
    `${organisation}/settlement/${Date.parse(dueBefore)}`,
    'budget',
    {dueBefore},
    organisation,
  );

/** Just after the deadline that `started` gives. */
export const afterDeadline = '2026-11-21T10:11:00.000Z';
