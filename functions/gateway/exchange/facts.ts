/**
Facts: the two events of a request, from what the gateway knows of it.

In: who, what, the holds; later how it ended. Out: inference.started and inference.finished. Their ids follow from the
request's, so that whatever is sent twice is one event.
*/
import type {KnownEvent} from '../../../events/event.ts';
import type {InferenceFinished, InferenceStarted} from '../../../events/types.ts';
import type {Principal} from '../../auth/principal.ts';
import type {Tokens} from '../../budget/cost.ts';
import type {Hold} from '../../budget/leases/account.ts';
import type {EndpointEntry, ModelEntry} from '../../registry/catalogue.ts';
import type {OperationName} from '../admission/operation.ts';

export type Outcome = InferenceFinished['outcome'];

export type Facts = Readonly<{
  request: string;
  principal: Principal;
  model: ModelEntry;
  operation: OperationName;
  streamed: boolean;
  startedAt: Date;
  deadline: Date;
  promptBytes: number;
  holds: readonly Hold[];
  label: string | undefined;
  traceparent: string;
}> & {
  /** The one that it was sent to last; before it was sent to any, the one that it began with. */
  endpoint: EndpointEntry;
  /** How often it was sent to an endpoint. */
  tries: number;
};

export type Ending = Readonly<{
  outcome: Outcome;
  status: number | undefined;
  tokens: Tokens;
  costNanos: number;
  /** In the order of the holds. */
  amounts: readonly number[];
  estimated: boolean;
  finishedAt: Date;
  latencyMs: number;
  timeToFirstTokenMs: number | undefined;
  /** The client was told nothing yet: another model may take it over. */
  goesOn?: boolean;
}>;

const source = '/functions/gateway';

const common = ({
  request,
  principal,
  model,
  endpoint,
  operation,
  streamed,
  startedAt,
  label,
}: Facts) => ({
  request,
  orgid: principal.org,
  project: principal.project,
  key: principal.key,
  model: model.name,
  modelId: model.id,
  environment: model.environment,
  endpoint: endpoint.url,
  operation,
  streamed,
  priceVersion: model.priceVersion,
  startedAt: startedAt.toISOString(),
  ...(label === undefined ? {} : {label}),
});

const envelope = <Type extends string>(facts: Facts, type: Type, suffix: string, time: Date) =>
  ({
    specversion: '1.0',
    id: `${facts.request}/${suffix}`,
    source,
    type,
    time: time.toISOString(),
    datacontenttype: 'application/json',
    orgid: facts.principal.org,
    projectid: facts.principal.project,
    partitionkey: facts.principal.org,
    traceparent: facts.traceparent,
  }) as const;

export const intentOf = (facts: Facts): KnownEvent<'dev.sluice.inference.started.v1'> => {
  const data: InferenceStarted = {
    ...common(facts),
    deadline: facts.deadline.toISOString(),
    promptBytes: facts.promptBytes,
    unsettledPolicy: facts.principal.unsettledPolicy,
    budgets: facts.holds.map(hold => ({...hold})),
  };
  return {...envelope(facts, 'dev.sluice.inference.started.v1', 'started', facts.startedAt), data};
};

export const resultOf = (
  facts: Facts,
  ending: Ending,
): KnownEvent<'dev.sluice.inference.finished.v1'> => {
  const data: InferenceFinished = {
    ...common(facts),
    finishedAt: ending.finishedAt.toISOString(),
    outcome: ending.outcome,
    ...(ending.status === undefined ? {} : {status: ending.status}),
    ...ending.tokens,
    costNanos: ending.costNanos,
    estimated: ending.estimated,
    latencyMs: ending.latencyMs,
    ...(facts.tries > 1 ? {tries: facts.tries} : {}),
    ...(ending.timeToFirstTokenMs === undefined
      ? {}
      : {timeToFirstTokenMs: ending.timeToFirstTokenMs}),
    budgets: facts.holds.map((hold, index) => ({...hold, amount: ending.amounts[index] ?? 0})),
  };
  return {
    ...envelope(facts, 'dev.sluice.inference.finished.v1', 'finished', ending.finishedAt),
    data,
  };
};
