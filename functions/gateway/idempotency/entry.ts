/**
Entry: a request with an Idempotency-Key in this process, and how others with the same key and body come to its answer.

In: the request that runs, one that asks for the same. Out: the same bytes for both, or that it is too late for that.
*/
import type {Principal} from '../../auth/principal.ts';
import type {Caller} from '../exchange/admitted.ts';
import type {GatewayResponse} from '../http/response.ts';
import type {ErrorForm} from '../surface/form.ts';
import type {Broadcast} from './broadcast.ts';

export type Asking = Readonly<{
  header: string;
  route: string;
  body: Buffer;
  errors: ErrorForm;
  principal: Principal;
  /** The request's id, which an answer carries when this is the one that runs. */
  id: string;
  response: GatewayResponse;
  caller: Caller;
  arrivedMs: number;
}>;

/** A request that runs in this process, or whose claim is being ended. */
export type Entry = Readonly<{
  hash: string;
  request: string;
  broadcast: Broadcast;
  /** Rejects when the request failed before it was sent upstream. */
  failed: PromiseWithResolvers<never>;
}> & {
  /** Its answer is, or will be, one to give to others. */
  joinable: boolean;
  closing: Promise<void> | undefined;
};

export const newEntry = (asking: Asking, hash: string, broadcast: Broadcast): Entry => {
  const failed = Promise.withResolvers<never>();
  // Mostly nobody listens.
  failed.promise.catch(() => {});
  broadcast.join(asking.response);
  return {hash, request: asking.id, broadcast, failed, joinable: true, closing: undefined};
};

/** False: this one cannot be joined. */
export const join = ({broadcast, joinable}: Entry, {response}: Asking): boolean => {
  // What has failed by now is for those who were there; who comes later may run it again.
  if (!joinable) {
    return false;
  }
  response.setHeader('x-sluice-idempotency', 'attached');
  if (!broadcast.join(response)) {
    response.removeHeader('x-sluice-idempotency');
    return false;
  }
  return true;
};

/** Resolves when this client has its answer or is gone; throws what the request failed by before it was sent upstream. */
export const untilAnswered = async ({failed}: Entry, {response}: Asking): Promise<void> => {
  const closed = new Promise<void>(resolve => response.once('close', resolve));
  await Promise.race([closed, failed.promise]);
};
