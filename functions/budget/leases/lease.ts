/**
Lease: what one lease means to the gateway that holds it. Pure: times come in, nothing is asked for.

A lease is usable while both clocks show less than its life minus a margin since before it was asked for: the monotonic
clock stops in a suspended machine, the wall clock can be set, and only what both allow is safe. A wall clock that stepped
back makes it unusable, because the time it hides is unknown.
*/
export type Clocks = Readonly<{monotonicMs: number; wallMs: number}>;

export type Lease = {
  readonly id: string;
  readonly window: string;
  /** The whole amount, as the store last said. */
  granted: number;
  /** Holds of requests whose result was not acknowledged yet. */
  held: number;
  /** Costs whose results were acknowledged. */
  settled: number;
  /** What was given back. */
  returned: number;
  /** Both clocks, read before the grant or the last renewal was asked for. */
  since: Clocks;
  /** Monotonic instants between which its window takes new holds; holds from then stay covered afterwards. */
  readonly windowStartsMs: number;
  readonly windowEndsMs: number;
  /** The store no longer knows it as open: what is held on it may have no cover. */
  void: boolean;
  /** A request that holds some of it will never be settled: it ends, so that the store frees what is held. */
  abandoned: boolean;
  /** The store knows that it will grant no more. */
  closed: boolean;
};

export const freeOf = (lease: Lease) => lease.granted - lease.held - lease.settled - lease.returned;

/** Do both clocks show less than so long since then? */
export const isWithin = (since: Clocks, now: Clocks, ms: number): boolean => {
  const monotonic = now.monotonicMs - since.monotonicMs;
  const wall = now.wallMs - since.wallMs;
  return monotonic < ms && wall < ms && wall >= 0;
};

/** Whether a hold that was taken from it is still covered. */
export const isAlive = (lease: Lease, now: Clocks, lifeMs: number): boolean =>
  !lease.void && isWithin(lease.since, now, lifeMs);

/** A lease that is enlarged for ever would outgrow a safe integer; long before, another takes its place. */
const grantedMax = 2 ** 52;

/** Whether a new hold may be taken from it. */
export const mayGrant = (lease: Lease, now: Clocks, lifeMs: number): boolean =>
  isAlive(lease, now, lifeMs) &&
  !lease.abandoned &&
  now.monotonicMs >= lease.windowStartsMs &&
  now.monotonicMs < lease.windowEndsMs &&
  lease.granted < grantedMax;

/** Everything that may be given back: what no hold covers and no acknowledged cost has used. */
export const returnable = (lease: Lease) => lease.granted - lease.settled - lease.held;
