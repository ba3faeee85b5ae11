/**
Bucket: what an exchange between a gateway and the store does to one limit. The memory twin runs it; `exchange.lua` says the
same to Redis, and one suite holds both to it.

A limit a minute is a token bucket: full at the beginning, refilled all the time, `capacity` in a minute. Gateways hold permits taken
out of it, so it fills up to `capacity` less what they hold, never over that: whoever spends a permit spends it as if the bucket
had been asked in that instant. They hold what they were last known to hold until they say what is left, or lapse: what they spent in
between may have been spent at the very end, and made no room before. In any span of time t no more is admitted than
`capacity + capacity × t / 60 s`.

A limit at once has no level: free is what nobody holds. A holder that is not heard of loses its share at the end of its life.
*/
export const minuteMs = 60_000;

export type Ask = Readonly<{
  /** The limit's id. */
  limit: string;
  kind: 'minute' | 'parallel';
  capacity: number;
  /** Of what was granted before: still unused; at once: in use, or soon to be. */
  kept: number;
  /** Of what was granted before: unused, and given up. What is neither was spent. */
  released: number;
  /** What requests that ended give back beyond what is held; below nought: they used more, or it was taken while the store was away. */
  given: number;
  /** What waiting requests lack together, and the one of them that lacks least. */
  needed: number;
  least: number;
  /** The most to grant beyond `needed`. */
  max: number;
  /** How full the asker believes the bucket to be, should the store know nothing of it. */
  level: number;
  /** A full bucket gives `least` although it never holds so much, and owes it. For a share of a limit only. */
  mayOwe?: boolean;
}>;

export type Answer = Readonly<{
  /** Less than what was asked to be kept where it had lapsed. */
  kept: number;
  granted: number;
  /** What is left. Not whole, and below nought while more was used than there was. */
  level: number;
}>;

export type Held = Readonly<{amount: number; untilMs: number}>;
export type Bucket = {level: number; atMs: number; readonly held: Map<string, Held>};

/** A slice: what is needed, and beyond it a share of what is left, so that little lies idle near the end. */
export const grantOf = (
  {needed, least, max}: Pick<Ask, 'needed' | 'least' | 'max'>,
  level: number,
  gateways: number,
): number => {
  const whole = Math.floor(level);
  if (whole >= needed) {
    return Math.floor(Math.max(needed, Math.min(whole / (4 * gateways), max)));
  }
  return whole >= least ? Math.max(whole, 0) : 0;
};

export const newBucket = ({level, capacity}: Ask, nowMs: number): Bucket => ({
  level: Math.min(level, capacity),
  atMs: nowMs,
  held: new Map(),
});

/** Of a limit a minute, what the time since the last exchange has refilled; what lapsed in it made room at the end of its life only. */
const refill = (
  bucket: Bucket,
  {capacity}: Ask,
  {held, lapsed, lapsedMs, nowMs}: {held: number; lapsed: number; lapsedMs: number; nowMs: number},
) => {
  const {atMs} = bucket;
  const endMs = Math.max(nowMs, atMs);
  // Several lapsed: until the last of them did.
  const untilMs = Math.min(Math.max(lapsedMs, atMs), endMs);
  const before = bucket.level + ((untilMs - atMs) * capacity) / minuteMs;
  const after =
    Math.min(before, capacity - held - lapsed) + ((endMs - untilMs) * capacity) / minuteMs;
  bucket.level = Math.min(after, capacity - held);
  bucket.atMs = endMs;
};

export const exchangeOne = (
  bucket: Bucket,
  ask: Ask,
  {
    gateway,
    gateways,
    nowMs,
    lifeMs,
  }: {gateway: string; gateways: number; nowMs: number; lifeMs: number},
): Answer => {
  let others = 0;
  let lapsed = 0;
  let lapsedMs = bucket.atMs;
  for (const [holder, {amount, untilMs}] of bucket.held) {
    if (untilMs <= nowMs) {
      bucket.held.delete(holder);
      lapsed += amount;
      lapsedMs = Math.max(lapsedMs, untilMs);
    } else if (holder !== gateway) {
      others += amount;
    }
  }
  const mine = bucket.held.get(gateway)?.amount ?? 0;
  // What runs runs, whether its share had lapsed or not.
  const kept = ask.kind === 'parallel' ? ask.kept : Math.min(ask.kept, mine);
  const room = ask.capacity - others - kept;
  if (ask.kind === 'parallel') {
    bucket.level = room;
  } else {
    // Two minutes' worth is the most that anybody waits for; what is owed is not forgiven.
    const least = Math.min(bucket.level, -ask.capacity);
    refill(bucket, ask, {held: others + mine, lapsed, lapsedMs, nowMs});
    const back = Math.min(ask.released, mine - kept) + ask.given;
    bucket.level = Math.max(Math.min(bucket.level + back, room), least);
  }
  const owes = ask.mayOwe && ask.least > ask.capacity && bucket.level >= room;
  const granted = owes ? ask.least : grantOf(ask, bucket.level, gateways);
  bucket.level -= granted;
  if (kept + granted > 0) {
    bucket.held.set(gateway, {amount: kept + granted, untilMs: nowMs + lifeMs});
  } else {
    bucket.held.delete(gateway);
  }
  return {kept, granted, level: bucket.level};
};
