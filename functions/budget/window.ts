/**
Window: what intents, settlements, fences and corrections do to a lease and to the window the lease came from.

In: a lease, a window, amounts. Out: both after it, and how much of the amount was covered. Pure; amounts are nano-USD,
tokens or GPU-ms, and this file does not care which. What holds after every call when it held before:
spent + leased <= ceiling; leased = the sum over the window's leases of granted - settled - returned; nothing is negative.
*/
export type Window = Readonly<{
  limit: bigint;
  ceiling: bigint;
  spent: bigint;
  leased: bigint;
  overage: bigint;
}>;

export type LeaseState = 'open' | 'closed' | 'fencing' | 'fenced';

/** As the store sees it: `settled` and `open` follow the log, a gateway knows its own sooner. */
export type Lease = Readonly<{
  state: LeaseState;
  granted: bigint;
  settled: bigint;
  returned: bigint;
  open: bigint;
}>;

/**
Who vouches that a lease covers a settlement. intent: its hold was counted in the lease's `open`. unannounced: the result
came before its intent, so nothing was counted. nobody: the lease is unknown, or was fenced before the intent came.
*/
export type Cover = 'intent' | 'unannounced' | 'nobody';

export type Settled = Readonly<{
  lease: Lease | undefined;
  window: Window;
  covered: bigint;
  overage: bigint;
  /** What the hold should have covered and the lease no longer could: 0 as long as every gateway keeps the protocol. */
  short: bigint;
}>;

/** The column's upper end: overage is bounded by no constraint, but a row must be writable whatever was reported. */
const countable = 2n ** 63n - 1n;

const least = (first: bigint, ...others: bigint[]) =>
  others.reduce((low, value) => (value < low ? value : low), first);
const most = (one: bigint, other: bigint) => (one > other ? one : other);

/** A lowered limit cannot take what is spent or leased, so the ceiling sinks towards it as money comes back. */
const sunk = (window: Window): Window => ({
  ...window,
  ceiling: most(window.limit, window.spent + window.leased),
});

/** Does an intent on this lease still count? `fencing` does: its marker was not read yet, so the intent is before it. */
export const covers = (lease: Lease | undefined): lease is Lease =>
  lease !== undefined && lease.state !== 'fenced';

/** An intent was read: its hold is open until the request is settled. */
export const openHold = (lease: Lease, hold: bigint): Lease => ({
  ...lease,
  open: lease.open + hold,
});

/**
A cost moves from `leased` to `spent` as far as its hold and its lease cover it. The rest is overage, because the money is
gone whether or not we like it. What the hold did not need stays in the lease for its holder, unless there is none any more.

An unannounced result may take what other requests hold: by the protocol the costs of all requests fit into the lease
whatever order they are read in, and with `open` subtracted a mere change of order would be booked as overage.
*/
export const settle = (
  lease: Lease | undefined,
  window: Window,
  {hold, amount, cover}: {hold: bigint; amount: bigint; cover: Cover},
): Settled => {
  if (lease === undefined || cover === 'nobody') {
    return {lease, window: withOverage(window, amount), covered: 0n, overage: amount, short: 0n};
  }
  const wanted = least(amount, hold);
  const covered = least(wanted, lease.granted - lease.settled - lease.returned);
  const settled = {
    ...lease,
    settled: lease.settled + covered,
    open: cover === 'intent' ? most(lease.open - hold, 0n) : lease.open,
  };
  const charged = withOverage(
    {...window, spent: window.spent + covered, leased: window.leased - covered},
    amount - covered,
  );
  const after =
    lease.state === 'fenced' ? release(settled, charged) : {lease: settled, window: sunk(charged)};
  return {...after, covered, overage: amount - covered, short: wanted - covered};
};

const withOverage = (window: Window, amount: bigint): Window => ({
  ...window,
  overage: least(window.overage + amount, countable),
});

/** A fenced lease has no holder, so it keeps what its open holds need and nothing more. */
const release = (lease: Lease, window: Window) => {
  const freed = most(lease.granted - lease.settled - lease.returned - lease.open, 0n);
  return {
    lease: {...lease, returned: lease.returned + freed},
    window: sunk({...window, leased: window.leased - freed}),
  };
};

/** The marker was read, hence every intent before it. Void on a lease whose fence nobody began. */
export const fence = (lease: Lease, window: Window): {lease: Lease; window: Window} | undefined =>
  lease.state === 'fencing' ? release({...lease, state: 'fenced'}, window) : undefined;

/**
A settled request turns out to have cost more or less. Less comes out of overage first, then of what was spent; more is
spent as far as nobody else has the room, the rest is overage. No lease takes part: its holder settled it otherwise.
*/
export const correct = (
  window: Window,
  difference: bigint,
): {window: Window; covered: bigint; overage: bigint} => {
  if (difference >= 0n) {
    const room = most(window.limit - window.spent - window.leased - window.overage, 0n);
    const covered = least(difference, room);
    const overage = difference - covered;
    return {
      window: withOverage(sunk({...window, spent: window.spent + covered}), overage),
      covered,
      overage,
    };
  }
  const overage = least(-difference, window.overage);
  const spent = least(-difference - overage, window.spent);
  return {
    window: sunk({...window, spent: window.spent - spent, overage: window.overage - overage}),
    covered: -spent,
    overage: -overage,
  };
};
