/**
Account: what one gateway holds of one limit. Pure: others know the time and the store.

In: what requests take and give back, the time. Out: whether a request is covered, and when it would be.

Permits of a limit a minute are spent once; they lapse, so that a gateway that died holds nobody up. Slots of a limit at once are
used again. What requests give back (tokens that they did not need) covers others here at once as far as the store knows this gateway
to hold so much; what is beyond that it must refuse or take first, for the bucket may be full without it.
*/
import {minuteMs} from './bucket.ts';
import type {Limit} from './limit.ts';

export type Account = {
  limit: Limit;
  /** Granted and not spent; at once: all slots, used or not. */
  permits: number;
  untilMs: number;
  inUse: number;
  /** The most that was in use since the account was last looked at. */
  peak: number;
  /** Not yet told to the store, and nobody's until then; below nought: owed to it. */
  given: number;
  givenMs: number;
  /** Since the account was last looked at. */
  spent: number;
  lookedMs: number;
  /** What the store counts as held here, so the most that may lie here. */
  stock: number;
  /** What the store had left, when. */
  level: number;
  levelMs: number;
  /** Until then the store is not asked for what it did not have. */
  shortUntilMs: number;
  usedMs: number;
};

export const newAccount = (limit: Limit, nowMs: number): Account => ({
  limit,
  permits: 0,
  untilMs: Number.NEGATIVE_INFINITY,
  inUse: 0,
  peak: 0,
  given: 0,
  givenMs: nowMs,
  spent: 0,
  lookedMs: nowMs,
  stock: 0,
  level: limit.capacity,
  levelMs: nowMs,
  shortUntilMs: Number.NEGATIVE_INFINITY,
  usedMs: nowMs,
});

export const isParallel = ({limit}: Account) => limit.unit === 'parallel';

/** What a request may take without asking anybody. */
export const freeOf = (account: Account, nowMs: number): number => {
  const permits = nowMs < account.untilMs ? account.permits : 0;
  return isParallel(account) ? permits - account.inUse : permits + Math.min(account.given, 0);
};

/** What it may take here and what goes back to the store with the next question. */
const withGivenOf = (account: Account, nowMs: number): number =>
  freeOf(account, nowMs) + Math.max(account.given, 0);

export const take = (account: Account, amount: number, nowMs: number) => {
  account.usedMs = nowMs;
  if (isParallel(account)) {
    account.inUse += amount;
    account.peak = Math.max(account.peak, account.inUse);
    return;
  }
  account.spent += amount;
  account.permits -= amount;
};

/** A request has ended. `unused`: of what it took; below nought where it used more. */
export const giveBack = (account: Account, amount: number, unused: number, nowMs: number) => {
  if (isParallel(account)) {
    account.inUse -= amount;
    return;
  }
  account.spent = Math.max(account.spent - unused, 0);
  const owed = Math.max(-account.given, 0);
  const room = nowMs < account.untilMs ? Math.max(account.stock - account.permits, 0) : 0;
  const here = Math.min(Math.max(unused - owed, 0), room);
  account.permits += here;
  if (account.given === 0) {
    account.givenMs = nowMs;
  }
  account.given += unused - here;
};

/** What the store has left as far as is known: others take from it too, so this is the most. */
export const levelOf = ({limit, level, levelMs}: Account, nowMs: number): number =>
  limit.unit === 'parallel'
    ? level
    : Math.min(level + ((nowMs - levelMs) * limit.capacity) / minuteMs, limit.capacity);

export const remainingOf = (account: Account, nowMs: number): number => {
  const left = Math.floor(withGivenOf(account, nowMs) + Math.max(levelOf(account, nowMs), 0));
  return Math.max(Math.min(left, account.limit.capacity), 0);
};

/** Ms until `amount` can be there, if nobody else takes any. What is used at once comes back when it comes back. */
export const waitMsOf = (account: Account, amount: number, nowMs: number, slotWaitMs = 1_000) => {
  const lacking = amount - withGivenOf(account, nowMs) - levelOf(account, nowMs);
  return isParallel(account)
    ? slotWaitMs
    : Math.max(Math.ceil((lacking * minuteMs) / account.limit.capacity), 0);
};

/** The store said a moment ago that there is less than that. */
export const isShort = (account: Account, amount: number, nowMs: number): boolean =>
  nowMs < account.shortUntilMs &&
  amount > withGivenOf(account, nowMs) + Math.max(levelOf(account, nowMs), 0);

/** Most of what the store counts as held is spent. It is told so, because the bucket fills only up to what is not held. */
export const isSpent = (account: Account) => {
  const {limit, permits, stock} = account;
  return !isParallel(account) && permits < stock / 4 && (stock >= 8 || stock >= limit.capacity / 4);
};

/** Will lack soon. */
export const isLow = (account: Account, nowMs: number) =>
  isSpent(account) && account.spent > 0 && nowMs >= account.shortUntilMs;

export const isIdle = (account: Account, nowMs: number): boolean =>
  account.inUse === 0 &&
  account.given === 0 &&
  (account.permits === 0 || nowMs >= account.untilMs) &&
  nowMs - account.usedMs > minuteMs;
