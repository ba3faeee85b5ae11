/**
Question: what an account says to the store, and what the answer makes of it. Pure.

In: an account, what waiting requests want of it, the time. Out: the next question, or that there is none. Once a second an account is
looked at: what it keeps is what the next two seconds may need by what the last one used, and the rest goes back.
*/
import {type Account, freeOf, isLow, isParallel, isSpent, levelOf, waitMsOf} from './account.ts';
import type {Answer, Ask} from './bucket.ts';
import type {Lives} from './store.ts';

/** What waiting requests want of a limit. */
export type Want = Readonly<{sum: number; least: number}>;

export const lookEveryMs = 1_000;
/** What requests gave back is told to the store so late, unless it is asked anyway. */
export const gatherMs = 250;
const askAgainMs = {min: 5, max: 100};

const sliceMax = ({limit}: Account) => Math.max(Math.floor(limit.capacity / 10), 1);
const isDue = (account: Account, nowMs: number, {slotMs}: Lives): boolean => {
  const {permits, inUse, given, givenMs, lookedMs, levelMs, stock} = account;
  if (isParallel(account)) {
    const isIdle = permits > Math.max(inUse, account.peak) && nowMs - lookedMs >= lookEveryMs;
    return isIdle || (permits + inUse > 0 && nowMs - levelMs >= slotMs / 3);
  }
  return (
    (given !== 0 && nowMs - givenMs >= gatherMs) ||
    (stock > 0 && nowMs - lookedMs >= lookEveryMs) ||
    isSpent(account)
  );
};

/** All slots were used in the second that is over: by the next look it is known what this one uses. */
const lookAtSlots = (account: Account, nowMs: number) => {
  const {permits, peak, inUse, lookedMs} = account;
  if (isParallel(account) && permits <= peak && nowMs - lookedMs >= lookEveryMs) {
    account.peak = inUse;
    account.lookedMs = nowMs;
  }
};

/** The next question; undefined: there is none. What it gives back is not the account's any more. */
export const askOf = (
  account: Account,
  want: Want | undefined,
  nowMs: number,
  lives: Lives,
): Ask | undefined => {
  lookAtSlots(account, nowMs);
  const lacks = want !== undefined && want.sum > freeOf(account, nowMs);
  if (!lacks && !isDue(account, nowMs, lives)) {
    return undefined;
  }
  const level = levelOf(account, nowMs);
  const circumstances = {
    lacks,
    lapsed: nowMs >= account.untilMs,
    isLooking: nowMs - account.lookedMs >= lookEveryMs,
    isLow: isLow(account, nowMs),
  };
  const {kept, released, given, max} = isParallel(account)
    ? keepSlots(account, circumstances)
    : keepPermits(account, circumstances);
  if (circumstances.isLooking) {
    account.lookedMs = nowMs;
  }
  const {limit, inUse} = account;
  const free = kept - inUse;
  return {
    limit: limit.id,
    kind: limit.unit === 'parallel' ? 'parallel' : 'minute',
    capacity: limit.capacity,
    kept,
    released,
    given,
    needed: lacks ? Math.max(want.sum - free, 0) : 0,
    least: lacks ? Math.max(want.least - free, 0) : 0,
    max,
    level,
  };
};

type Circumstances = Readonly<{
  lacks: boolean;
  lapsed: boolean;
  isLooking: boolean;
  isLow: boolean;
}>;
type Keeping = Pick<Ask, 'kept' | 'released' | 'given' | 'max'>;

const keepSlots = (account: Account, {lacks, lapsed, isLooking}: Circumstances): Keeping => {
  const {inUse, peak, permits} = account;
  // What runs is told although its slots have lapsed: it runs.
  const kept = lapsed || permits < inUse ? inUse : permits;
  account.permits = isLooking ? Math.max(inUse, Math.min(peak, kept)) : kept;
  account.peak = isLooking ? inUse : peak;
  return {kept: account.permits, released: 0, given: 0, max: lacks ? sliceMax(account) : 0};
};

/** Looked at once a second: what is kept is what the next two may need by what the last one did. */
const keepPermits = (
  account: Account,
  {lacks, lapsed, isLooking, isLow}: Circumstances,
): Keeping => {
  const permits = lapsed ? 0 : account.permits;
  const likely = 2 * account.spent;
  const kept = isLooking ? Math.min(permits, likely) : permits;
  const {given} = account;
  const released = permits - kept;
  account.permits = kept;
  // Until it has answered it may count no more than that.
  account.stock = kept;
  account.given = 0;
  account.spent = isLooking ? 0 : account.spent;
  if (isLooking) {
    return {kept, released, given, max: Math.min(Math.max(likely - kept, 0), sliceMax(account))};
  }
  return {kept, released, given, max: lacks || isLow ? sliceMax(account) : 0};
};

export const applyAnswer = (
  account: Account,
  ask: Ask,
  answer: Answer,
  {askedMs, nowMs, lives}: {askedMs: number; nowMs: number; lives: Lives},
) => {
  account.permits = Math.min(account.permits, answer.kept) + answer.granted;
  account.stock = answer.kept + answer.granted;
  // Of the time before it was asked: the store counts from later.
  account.untilMs = askedMs + (isParallel(account) ? lives.slotMs : lives.permitMs);
  account.level = answer.level;
  account.levelMs = nowMs;
  if (answer.granted < ask.needed || (ask.max > 0 && answer.granted === 0)) {
    const untilThereMs = waitMsOf(account, ask.least, nowMs, askAgainMs.max);
    account.shortUntilMs = nowMs + Math.min(Math.max(untilThereMs, askAgainMs.min), askAgainMs.max);
  }
};

/** Nobody knows whether the store heard it: what was given back may be there, what is owed is said again. */
export const forgetAsk = (account: Account, ask: Ask) => {
  account.given += Math.min(ask.given, 0);
};

/** The last question: everything back that no request uses. */
export const closingAskOf = (account: Account, nowMs: number): Ask | undefined => {
  const {limit, inUse, given} = account;
  const permits = nowMs < account.untilMs ? account.permits : 0;
  const common = {
    limit: limit.id,
    capacity: limit.capacity,
    needed: 0,
    least: 0,
    max: 0,
    level: levelOf(account, nowMs),
  };
  if (isParallel(account)) {
    return permits === 0
      ? undefined
      : {...common, kind: 'parallel', kept: inUse, released: 0, given: 0};
  }
  return permits === 0 && given === 0
    ? undefined
    : {...common, kind: 'minute', kept: 0, released: permits, given};
};
