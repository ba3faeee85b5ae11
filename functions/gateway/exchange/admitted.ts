/**
Admitted: a request that was let in, and what its exchange works with. The words of the files around it.
*/
import type {SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Span} from '../../../events/tracing.ts';
import type {Taken} from '../../budget/leases/account.ts';
import type {EndpointEntry, ModelEntry} from '../../registry/catalogue.ts';
import type {Operation} from '../admission/operation.ts';
import type {GatewayRequest} from '../http/request.ts';
import type {Gather} from '../log/gather.ts';
import type {Patience} from '../log/patience.ts';
import type {Place, Router, Waiting} from '../routing/router.ts';
import type {Ending, Facts} from './facts.ts';
import type {Going} from './state.ts';
import type {Retried, Upstream} from './upstream.ts';

/** Who is at the other end of the connection, for the log. Read on arrival: a socket that is gone tells no address. */
export type Caller = Readonly<{client: string | undefined; userAgent: string | undefined}>;

export const callerOf = ({remoteAddress, headers}: GatewayRequest): Caller => ({
  client: remoteAddress,
  userAgent: headers['user-agent']?.slice(0, 200),
});

/** Where an answer goes: the response to one client, or a broadcast to several. */
export type ClientResponse = {
  readonly destroyed: boolean;
  readonly headersSent: boolean;
  readonly writableFinished: boolean;
  once(event: 'close' | 'drain', listener: () => void): unknown;
  setHeader(name: string, value: string): unknown;
  removeHeader(name: string): unknown;
  writeHead(status: number, headers: Record<string, string | number>): unknown;
  write(bytes: Buffer): boolean;
  end(content?: Buffer | string): unknown;
  end(content: string, encoding: BufferEncoding): unknown;
  destroy(): unknown;
};

export type Exchange = Readonly<{
  facts: Facts;
  operation: Operation;
  taken: Taken;
  /** The most the request was admitted for, for the policy `hold`. */
  bounds: Readonly<{promptTokens: number}>;
  /** Where it goes first, or waits for. */
  place: Place | Waiting;
  /** The endpoint that `body` is for. */
  first: EndpointEntry;
  /** Its maximum of tokens is always named. */
  underBudget: boolean;
  response: ClientResponse;
  /** Monotonic ms of the request's arrival. */
  arrivedMs: number;
  /** Monotonic ms of its deadline. */
  untilMs: number;
  headers: Record<string, string>;
  span: Span;
  caller: Caller;
  /** The request that it took over, whose model had no endpoint left. */
  insteadOf?: string | undefined;
  /** Who else waits for the end: the claim of an Idempotency-Key. */
  onEnd?: ((ending: Ending) => void) | undefined;
  /** No endpoint answered, and the client knows nothing yet: it is another model's, or told of the error. */
  fallBack?: ((error: SluiceError, ending: Ending) => void) | undefined;
}> & {
  /** For the first endpoint. */
  body: Buffer;
};

const empty = Buffer.alloc(0);

/** It is answered, so it goes nowhere else any more: a stream need not keep its prompt until its end. */
export const forgetBody = (exchange: Exchange) => {
  exchange.body = empty;
  exchange.operation.body = empty;
  exchange.operation.members = [];
};

export type ExchangeParts = Readonly<{
  upstream: Upstream;
  intents: Gather;
  patience: Patience;
  results: Gather;
  router: Pick<Router, 'acquire'>;
  limits: Pick<Limits, 'firstCommentMs' | 'commentMs'>;
  logger: Logger;
  /** Whoever cuts requests off finds them there. */
  open?: Readonly<{add(going: Going): void; delete(going: Going): void}>;
  onEnd: (exchange: Exchange, ending: Ending, error: SluiceError | undefined) => void;
  /** It goes out to the model server. */
  onSent?: (exchange: Exchange) => void;
  /** It goes to another endpoint, because the last one failed so. */
  onRetry?: (exchange: Exchange, why: Retried) => void;
  /** Of who waited: nothing, or a promise of why they may not begin any more. */
  stillLetIn?: (
    asked: Pick<Facts, 'principal' | 'model'>,
  ) => Promise<SluiceError | undefined> | undefined;
  /** Whether the model of a request that waited is still there. */
  isServed?: (model: ModelEntry) => boolean;
  /** Its result is durable, or given up. */
  onRecorded?: (exchange: Exchange) => void;
  onEndpointFailed: (exchange: Exchange, error: Error) => void;
}>;
