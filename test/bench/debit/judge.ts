/**
Judge: what the rounds of a row came to, against their bounds. Pure.

In: a row, its rounds. Out: a finding a contender: medians, ranges, and of what it is held against the share that it reaches. A
share is that of the medians; beside it stand the lowest and the highest of a single round.
*/
import {median, percentile, rounded} from '../figures.ts';
import type {Contender, Sample} from './measure.ts';
import {bounds, type LagRow, type Row} from './rows.ts';
import type {SoakSample} from './soak.ts';

export type Round = Partial<Record<Contender, Sample>>;
export type Finding = Readonly<{
  row: string;
  title: string;
  contender: Contender;
  perSecond: number;
  perSecondOfRounds: readonly [lowest: number, highest: number];
  cpuMicros: Readonly<Record<string, number>>;
  of?: Readonly<{
    baseline: Contender;
    share: number;
    shareOfRounds: readonly [lowest: number, highest: number];
    atLeast: number;
  }>;
  met: boolean;
}>;

const contenders: readonly Contender[] = ['raw', 'memory', 'chain'];

export const judge = (row: Row, rounds: readonly Round[]): Finding[] =>
  contenders
    .filter(contender => rounds.every(round => round[contender]))
    .map(contender => judgeContender(row, rounds, contender));

const ratesOf = (rounds: readonly Round[], contender: Contender) =>
  rounds.map(round => round[contender]?.perSecond ?? Number.NaN);

const judgeContender = (row: Row, rounds: readonly Round[], contender: Contender): Finding => {
  const rates = ratesOf(rounds, contender);
  const names = Object.keys(rounds[0]?.[contender]?.cpu ?? {});
  const bound = bounds.find(({subject}) => subject === contender);
  const others = bound ? ratesOf(rounds, bound.baseline) : [];
  const shares = rates.map((rate, index) => rate / (others[index] as number));
  const isHeld = bound !== undefined && others.every(Number.isFinite);
  const share = rounded(median(rates) / median(others), 2);
  return {
    row: row.name,
    title: row.title,
    contender,
    perSecond: Math.round(median(rates)),
    perSecondOfRounds: [Math.round(Math.min(...rates)), Math.round(Math.max(...rates))],
    cpuMicros: Object.fromEntries(
      names.map(name => [
        name,
        rounded(median(rounds.map(round => round[contender]?.cpu[name] ?? Number.NaN)), 1),
      ]),
    ),
    ...(isHeld
      ? {
          of: {
            baseline: bound.baseline,
            share,
            shareOfRounds: [rounded(Math.min(...shares), 2), rounded(Math.max(...shares), 2)],
            atLeast: bound.atLeast,
          },
        }
      : {}),
    met: !isHeld || share >= bound.atLeast,
  };
};

export type LagFinding = Readonly<{
  row: string;
  title: string;
  results: number;
  p50Ms: number;
  p99Ms: number;
  atMostMs: number;
  met: boolean;
}>;

export const judgeLag = (
  {name, title, p99Ms: atMostMs}: LagRow,
  lags: readonly number[],
): LagFinding => {
  const p99Ms = rounded(percentile(lags, 0.99), 0);
  return {
    row: name,
    title,
    results: lags.length,
    p50Ms: rounded(percentile(lags, 0.5), 0),
    p99Ms,
    atMostMs,
    met: p99Ms <= atMostMs,
  };
};

export type SoakFinding = Readonly<{
  process: string;
  events: number;
  /** Medians of the samples of a fifth of the run, MiB: the second fifth, when everything is warm, and the last. */
  earlyMib: number;
  lateMib: number;
  highestMib: number;
  met: boolean;
}>;

/** Flat: what a process keeps may wander by this, with the garbage that happens to be there; a leak of 10 bytes an event is more. */
const wanderMib = 24;

export const judgeSoak = (samples: readonly SoakSample[]): SoakFinding[] => {
  const total = samples.at(-1)?.events ?? 0;
  const within = (from: number, to: number) =>
    samples.filter(({events}) => events >= total * from && events <= total * to);
  return Object.keys(samples.at(-1)?.residentMib ?? {}).map(process => {
    const of = (some: readonly SoakSample[]) =>
      some.map(({residentMib}) => residentMib[process] ?? Number.NaN);
    const earlyMib = rounded(median(of(within(0.2, 0.4))), 0);
    const lateMib = rounded(median(of(within(0.8, 1))), 0);
    return {
      process,
      events: total,
      earlyMib,
      lateMib,
      highestMib: rounded(Math.max(...of(samples)), 0),
      met: lateMib <= earlyMib + wanderMib,
    };
  });
};
