/**
State: how far an exchange is. The files beside it share it; only `ends.ts` ends it.
*/
import type {Dispatcher} from 'undici';
import type {Place, Waiting} from '../routing/router.ts';
import type {Exchange, ExchangeParts} from './admitted.ts';
import type {Answer} from './answer.ts';
import type {Sent} from './upstream.ts';

export type State = {
  ended: boolean;
  acknowledged: boolean;
  /** Headers went to the client. */
  sent: boolean;
  /** The first byte of an answer did. */
  firstMs: number | undefined;
  deadline: NodeJS.Timeout | undefined;
  /** The next comment for a client that waits for its model to start. */
  comments: NodeJS.Timeout | undefined;
  /** Nobody waits: told once, when nothing more comes. */
  onLeft: (() => void) | undefined;
  /** Sends what of the answer waits. */
  flush: () => void;
  /** Until there is a place. */
  waiting: Waiting | undefined;
  /** Ids of the endpoints that failed. */
  tried: string[];

  /** From here on of the last try. */
  place: Place | undefined;
  call: Sent | undefined;
  controller: Dispatcher.DispatchController | undefined;
  answer: Answer | undefined;
  /** An error answer of the model server, being collected. */
  refusal: {status: number; parts: Buffer[]; size: number} | undefined;
  /** It went out on a connection: the model server may have worked for this. */
  reached: boolean;
};

/** An exchange under way. */
export type Going = Readonly<{parts: ExchangeParts; exchange: Exchange; state: State}>;

export const newState = (): State => ({
  ended: false,
  acknowledged: false,
  sent: false,
  firstMs: undefined,
  deadline: undefined,
  comments: undefined,
  onLeft: undefined,
  flush() {},
  waiting: undefined,
  tried: [],
  place: undefined,
  call: undefined,
  controller: undefined,
  answer: undefined,
  refusal: undefined,
  reached: false,
});

export const sendHead = (
  {response, operation}: Exchange,
  state: State,
  contentType: string,
  length: number | undefined,
) => {
  state.sent = true;
  response.writeHead(200, {
    'content-type': contentType,
    ...(length === undefined ? {} : {'content-length': length}),
    ...(operation.stream ? {'x-accel-buffering': 'no'} : {}),
  });
};
