/**
Judge: what the rounds of a row came to, against its budgets. Pure.

In: a row, its rounds. Out: findings, one a figure: the baseline's, the subject's, their ratio, met or not. A ratio is that of the
medians of the rounds; the lowest and highest ratio of a single round tell how far to believe it.
*/
import {median, rounded} from './figures.ts';
import type {Sample} from './measure.ts';
import type {Comparison, Row} from './rows.ts';
import type {StoreName} from './stores.ts';
import type {TargetName} from './world.ts';

/** The samples of a round, by target. */
export type Round = Partial<Record<TargetName, Sample>>;

export type Finding = Readonly<{
  row: string;
  title: string;
  unit: string;
  baseline: Readonly<{name: string; value: number}>;
  subject: Readonly<{name: string; value: number}>;
  ratio: number;
  ratioOfRounds: readonly [lowest: number, highest: number];
  budget: number;
  met: boolean;
  /** CPU of what the gateway leans on, in its rounds; never part of the ratio. */
  stores?: Readonly<Record<StoreName, number>>;
  perSecond: Readonly<Record<string, number>>;
  loadShare: number;
  remarks: readonly string[];
}>;

type Figure = Comparison &
  Readonly<{
    row: Row;
    label: string;
    unit: string;
    rounds: readonly Round[];
    of: (round: Round, target: TargetName) => number;
  }>;

/** An open loop that got through less than this share of its rate measured something else. */
const reachedShare = 0.98;

const medianOf = (rounds: readonly Round[], of: (round: Round) => number | undefined) =>
  median(rounds.map(round => of(round) ?? Number.NaN));

const judgeFigure = (figure: Figure): Finding => {
  const {row, label, unit, rounds, baseline, subject, budget, of} = figure;
  const [before, after] = [baseline, subject].map(target =>
    medianOf(rounds, round => of(round, target)),
  ) as [number, number];
  const ratios = rounds.map(round => of(round, subject) / of(round, baseline));
  const ratio = after / before;
  const remarks = remarksOf(row, rounds, [baseline, subject]);
  const shares = rounds.flatMap(round => Object.values(round).map(({loadShare}) => loadShare));
  const micros = (store: StoreName) =>
    rounded(
      medianOf(rounds, ({gateway}) => gateway?.storeMicros[store]),
      1,
    );
  return {
    row: row.name,
    title: label,
    unit,
    baseline: {name: baseline, value: rounded(before, 3)},
    subject: {name: subject, value: rounded(after, 3)},
    ratio: rounded(ratio, 3),
    ratioOfRounds: [rounded(Math.min(...ratios), 3), rounded(Math.max(...ratios), 3)],
    budget,
    met: ratio <= budget && remarks.length === 0,
    ...(row.measures === 'latency' || subject !== 'gateway'
      ? {}
      : {
          stores: {postgres: micros('postgres'), redis: micros('redis'), kafka: micros('kafka')},
        }),
    perSecond: Object.fromEntries(
      [baseline, subject].map(target => [
        target,
        Math.round(medianOf(rounds, round => round[target]?.perSecond)),
      ]),
    ),
    loadShare: rounded(median(shares), 2),
    remarks,
  };
};

const remarksOf = (
  row: Row,
  rounds: readonly Round[],
  targets: readonly TargetName[],
): string[] => {
  const samples = rounds.flatMap(round => targets.flatMap(target => round[target] ?? []));
  const failed = samples.reduce((sum, sample) => sum + sample.failed, 0);
  const {rate} = row;
  const slowest = targets.filter(
    target =>
      rate !== undefined &&
      medianOf(rounds, round => round[target]?.perSecond ?? 0) < rate * reachedShare,
  );
  return [
    ...(failed > 0 ? [`${failed} requests failed`] : []),
    ...slowest.map(target => `saturated: ${target} did not reach ${rate}/s`),
    ...new Set(samples.flatMap(({flaws}) => flaws)),
  ];
};

const cpu = (round: Round, target: TargetName) => round[target]?.cpuMicros ?? Number.NaN;
const added = (key: 'p50Ms' | 'p99Ms') => (round: Round, target: TargetName) =>
  (round[target]?.[key] ?? Number.NaN) - (round.direct?.[key] ?? Number.NaN);

const judgeComparison = (row: Row, rounds: readonly Round[], comparison: Comparison) => {
  const common = {row, rounds, ...comparison};
  const {baseline, subject} = comparison;
  const label = baseline === 'bare' ? row.title : `${row.title}: ${subject} against ${baseline}`;
  return row.measures === 'latency'
    ? (['p50Ms', 'p99Ms'] as const).map(key =>
        judgeFigure({
          ...common,
          label: `${row.title}, ${key.slice(0, 3)}`,
          unit: 'ms',
          of: added(key),
        }),
      )
    : [judgeFigure({...common, label, unit: 'µs', of: cpu})];
};

/** Findings of the comparisons whose targets are there. */
export const judge = (row: Row, rounds: readonly Round[]): Finding[] =>
  row.comparisons
    .filter(({baseline, subject}) => rounds.every(round => round[baseline] && round[subject]))
    .flatMap(comparison => judgeComparison(row, rounds, comparison));
