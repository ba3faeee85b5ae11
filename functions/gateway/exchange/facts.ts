/**
Facts: what the gateway knows of a request, and later of its end: what its two events say (`written-events.ts`).
*/
import type {InferenceFinished} from '../../../events/types.ts';
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
