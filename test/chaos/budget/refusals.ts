/**
Refusals: which of them were false, and for how long.

A refusal is false when at that moment limit − charged − Σ open holds was more than 2 × slice × gateways alive or not yet fenced. In:
refusals by time, the history, what the watch saw, when somebody was struck. Out: the false ones, the spans of time in which they
came, and the spans that lie outside of one lease life after a kill. Pure.
*/
import type {History} from './history.ts';
import type {Struck} from './strike.ts';
import type {Lag, Sample} from './watch.ts';

export type Refusal = Readonly<{atMs: number; status: number}>;
export type Span = Readonly<{
  fromMs: number;
  toMs: number;
  refusals: number;
  /** Where it was most beyond what is allowed. */
  freeNanos: bigint;
  boundNanos: bigint;
  /** Of what was free, what no gateway had leased, as the database said. */
  unleasedNanos: bigint;
  gateways: number;
  leases: string;
}>;
export type FalseRefusals = Readonly<{
  count: number;
  spans: readonly Span[];
  /** Of them, those that came while the machine stood still: nobody had the processor to do better. */
  starved: readonly Span[];
  /** Spans of false refusals that no kill and no standstill excuses. */
  broken: readonly Span[];
}>;

/** As the gateways have them: `functions/budget/leases`. */
const sliceMax = 250_000_000n;
const sliceShare = 4n;
/** What a client sees was decided a little before. */
const decidedMs = 300;
const joinMs = 500;
/** This process was late by as much, while a request waited for its refusal: a lease asked for in time comes too late. */
const standstillMs = 500;
const waitedMs = 2_500;

type Step = Readonly<{atMs: number; free: bigint; charged: bigint}>;

/** Limit − charged − Σ open holds, and what was charged, after each change. */
export const stepsOf = (
  {lives, corrections}: Pick<History, 'lives' | 'corrections'>,
  limit: bigint,
): Step[] => {
  const changes = [
    ...lives.flatMap(({startMs, endMs, hold, cost}) => [
      {atMs: startMs, free: -hold, charged: 0n},
      {atMs: endMs, free: hold - cost, charged: cost},
    ]),
    ...corrections.map(({atMs, amount}) => ({atMs, free: -amount, charged: amount})),
  ];
  changes.sort((one, other) => one.atMs - other.atMs);
  let free = limit;
  let charged = 0n;
  return changes.map(change => {
    free += change.free;
    charged += change.charged;
    return {atMs: change.atMs, free, charged};
  });
};

/** The index of the last one not after an instant, or -1. */
const lastBefore = (list: readonly Readonly<{atMs: number}>[], atMs: number): number => {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.atMs ?? 0) <= atMs) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
};

export const falseRefusals = ({
  refusals,
  history,
  samples,
  lags,
  struck,
  limit,
  holdMax,
  gateways,
  ttlMs,
}: {
  refusals: readonly Refusal[];
  history: Pick<History, 'lives' | 'corrections'>;
  samples: readonly Sample[];
  lags: readonly Lag[];
  struck: readonly Pick<Struck, 'atMs' | 'backMs'>[];
  limit: bigint;
  /** The most that one request of this storm holds. */
  holdMax: bigint;
  /** Where nobody has looked as yet. */
  gateways: number;
  ttlMs: number;
}): FalseRefusals => {
  const steps = stepsOf(history, limit);
  const boundAt = (atMs: number, charged: bigint) => {
    const seen = BigInt(samples[lastBefore(samples, atMs)]?.gateways ?? gateways);
    const share = (limit - charged) / (sliceShare * (seen > 0n ? seen : 1n));
    const slice = share > sliceMax ? sliceMax : share > holdMax ? share : holdMax;
    return 2n * (slice > holdMax ? slice : holdMax) * seen;
  };
  const standstills = lags.filter(({lagMs}) => lagMs >= standstillMs);
  const excuseOf = (atMs: number) =>
    struck.some(one => atMs >= one.atMs && atMs - decidedMs <= one.backMs + ttlMs)
      ? 'kill'
      : standstills.some(lag => lag.atMs - lag.lagMs <= atMs && lag.atMs >= atMs - waitedMs)
        ? 'standstill'
        : undefined;
  const all: (Span & {excuse: ReturnType<typeof excuseOf>})[] = [];
  for (const {atMs} of [...refusals].sort((one, other) => one.atMs - other.atMs)) {
    const to = lastBefore(steps, atMs);
    const from = Math.max(lastBefore(steps, atMs - decidedMs), 0);
    const within = steps.slice(from, to + 1);
    const charged = steps[to]?.charged ?? 0n;
    const free = within.reduce(
      (low, step) => (step.free < low ? step.free : low),
      within[0]?.free ?? limit,
    );
    const bound = boundAt(atMs, charged);
    const seen = samples[lastBefore(samples, atMs)];
    const unleased = seen ? limit - seen.spent - seen.leased - seen.overage : limit;
    if (free > bound) {
      const last = all.at(-1);
      const excuse = excuseOf(atMs);
      if (last && atMs - last.toMs <= joinMs && last.excuse === excuse) {
        const isWorse = free - bound > last.freeNanos - last.boundNanos;
        const worst = isWorse
          ? {
              freeNanos: free,
              boundNanos: bound,
              unleasedNanos: unleased,
              gateways: seen?.gateways ?? gateways,
              leases: seen?.leases ?? '',
            }
          : {};
        all[all.length - 1] = {...last, ...worst, toMs: atMs, refusals: last.refusals + 1};
      } else {
        all.push({
          fromMs: atMs,
          toMs: atMs,
          refusals: 1,
          freeNanos: free,
          boundNanos: bound,
          unleasedNanos: unleased,
          gateways: seen?.gateways ?? gateways,
          leases: seen?.leases ?? '',
          excuse,
        });
      }
    }
  }
  return {
    count: all.reduce((sum, span) => sum + span.refusals, 0),
    spans: all,
    starved: all.filter(({excuse}) => excuse === 'standstill'),
    broken: all.filter(({excuse}) => excuse === undefined),
  };
};
