/**
Claim: who may run a request that a client named by an `Idempotency-Key`, and what the others are told.

In: the claim that is stored under (project, key), who asks, the time. Out: the claim after it, and what was found. A claim is
running until its holder finishes or releases it, or until it runs out, because its holder may be dead. Only the claim's own
fence ends it: a holder that was frozen and comes back late changes nothing of what somebody else has taken since. Pure.
*/
import {SluiceError} from '../../../events/errors.ts';

/** `id`: the digest of project and key. `hash`: the digest of route and body. Both in hex. */
export type Asked = Readonly<{
  id: string;
  org: string;
  project: string;
  hash: string;
  /** Of this attempt and no other: what ends the claim must name it. */
  fence: string;
  holdMs: number;
}>;

export type Claim = Readonly<{
  hash: string;
  fence: string;
  expiresAtMs: number;
  finished: boolean;
  /** What to replay, sealed. Undefined where nothing was kept. */
  result: Buffer | undefined;
}>;

export type Found =
  | Readonly<{state: 'taken'}>
  | Readonly<{state: 'running'; hash: string}>
  | Readonly<{state: 'finished'; hash: string; result: Buffer | undefined}>;

export type Holding = Readonly<{id: string; fence: string}>;

/** Where claims are, for every gateway. An end is false when the claim is not the holder's any more. */
export type ClaimStore = Readonly<{
  take(asked: Asked): Promise<Found>;
  finish(
    held: Holding & Readonly<{hash: string; result: Buffer | undefined; keepMs: number}>,
  ): Promise<boolean>;
  release(held: Holding): Promise<boolean>;
  close(): Promise<void>;
}>;

const isLive = (claim: Claim | undefined, nowMs: number): claim is Claim =>
  claim !== undefined && nowMs < claim.expiresAtMs;

export const take = (
  claim: Claim | undefined,
  {hash, fence, holdMs}: Pick<Asked, 'hash' | 'fence' | 'holdMs'>,
  nowMs: number,
): Readonly<{claim: Claim; found: Found}> => {
  if (!isLive(claim, nowMs)) {
    const taken = {hash, fence, expiresAtMs: nowMs + holdMs, finished: false, result: undefined};
    return {claim: taken, found: {state: 'taken'}};
  }
  return {
    claim,
    found: claim.finished
      ? {state: 'finished', hash: claim.hash, result: claim.result}
      : {state: 'running', hash: claim.hash},
  };
};

/** Whether this holder may still end this claim. */
export const isHeld = (claim: Claim | undefined, fence: string, nowMs: number): claim is Claim =>
  isLive(claim, nowMs) && !claim.finished && claim.fence === fence;

/** What is to be done for who asked: run it, replay what was kept; everything else is told as an error. */
export const judge = (found: Found, hash: string): 'run' | Buffer => {
  if (found.state === 'taken') {
    return 'run';
  }
  if (found.hash !== hash) {
    throw reused();
  }
  if (found.state === 'running') {
    throw inProgress();
  }
  if (!found.result) {
    throw notKept();
  }
  return found.result;
};

export const reused = () =>
  new SluiceError(
    'idempotency_key_reused',
    'this Idempotency-Key was used for a request with another body or route',
  );

const retrySeconds = 2;

export const inProgress = () =>
  new SluiceError('request_in_progress', 'the request with this Idempotency-Key is running', {
    retryAfterSeconds: retrySeconds,
  });

export const notKept = () =>
  new SluiceError(
    'result_not_kept',
    'the request with this Idempotency-Key has ended and was charged, and its answer was not kept; use another key to ask again',
  );
