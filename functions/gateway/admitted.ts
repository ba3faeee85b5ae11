/**
Admitted: a request that was let in, and what its exchange works with. Types only; the words of the files around it.
*/
import type {ServerResponse} from 'node:http';
import type {SluiceError} from '../../events/errors.ts';
import type {Limits} from '../../events/limits.ts';
import type {Logger} from '../../events/telemetry.ts';
import type {Span} from '../../events/tracing.ts';
import type {Taken} from '../budget/leases/account.ts';
import type {Ending, Facts} from './facts.ts';
import type {Gather} from './gather.ts';
import type {Operation} from './operation.ts';
import type {Upstream} from './upstream.ts';

export type Exchange = Readonly<{
  facts: Facts;
  operation: Operation;
  taken: Taken;
  /** The most the request was admitted for, for the policy `hold`. */
  bounds: Readonly<{promptTokens: number}>;
  body: Buffer;
  response: ServerResponse;
  /** Monotonic ms of the request's arrival. */
  arrivedMs: number;
  headers: Record<string, string>;
  span: Span;
}>;

export type ExchangeParts = Readonly<{
  upstream: Upstream;
  intents: Gather;
  results: Gather;
  limits: Pick<Limits, 'requestMs'>;
  logger: Logger;
  onEnd: (exchange: Exchange, ending: Ending, error: SluiceError | undefined) => void;
  onEndpointFailed: (exchange: Exchange, error: Error) => void;
}>;
