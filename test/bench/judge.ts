/**
Judge: what the rounds of a row came to, against its budget. Pure.

In: a row, its rounds. Out: findings, one a figure: bare's, the gateway's, their ratio, met or not. A ratio is that of the
medians of the rounds; the lowest and highest ratio of a single round tell how far to believe it.
*/
import {median, rounded} from './figures.ts';
import type {Sample} from './measure.ts';
import {bareToNginxMax, type Row} from './rows.ts';
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
  /** CPU of PostgreSQL in the subject's rounds; never part of the ratio. */
  postgres?: number;
  perSecond: Readonly<Record<string, number>>;
  loadShare: number;
  remarks: readonly string[];
}>;

type Figure = Readonly<{
  row: Row;
  label: string;
  unit: string;
  rounds: readonly Round[];
  baseline: TargetName;
  subject: TargetName;
  budget: number;
  of: (round: Round, target: TargetName) => number;
}>;

/** An open loop that got through less than this share of its rate measured something else. */
const reachedShare = 0.98;

const judgeFigure = ({
  row,
  label,
  unit,
  rounds,
  baseline,
  subject,
  budget,
  of,
}: Figure): Finding => {
  const [before, after] = [baseline, subject].map(target =>
    median(rounds.map(round => of(round, target))),
  ) as [number, number];
  const ratios = rounds.map(round => of(round, subject) / of(round, baseline));
  const ratio = after / before;
  const remarks = remarksOf(row, rounds, [baseline, subject]);
  const shares = rounds.flatMap(round => Object.values(round).map(({loadShare}) => loadShare));
  return {
    row: row.name,
    title: label,
    unit,
    baseline: {name: baseline, value: rounded(before, 3)},
    subject: {name: subject, value: rounded(after, 3)},
    ratio: rounded(ratio, 2),
    ratioOfRounds: [rounded(Math.min(...ratios), 2), rounded(Math.max(...ratios), 2)],
    budget,
    met: ratio <= budget && remarks.length === 0,
    ...(row.measures === 'latency' || subject !== 'gateway'
      ? {}
      : {
          postgres: rounded(
            median(rounds.map(round => round.gateway?.postgresMicros ?? Number.NaN)),
            1,
          ),
        }),
    perSecond: Object.fromEntries(
      [baseline, subject].map(target => [
        target,
        Math.round(median(rounds.map(round => round[target]?.perSecond ?? Number.NaN))),
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
      median(rounds.map(round => round[target]?.perSecond ?? 0)) < rate * reachedShare,
  );
  return [
    ...(failed > 0 ? [`${failed} requests failed`] : []),
    ...slowest.map(target => `saturated: ${target} did not reach ${rate}/s`),
  ];
};

const cpu = (round: Round, target: TargetName) => round[target]?.cpuMicros ?? Number.NaN;
const added = (key: 'p50Ms' | 'p99Ms') => (round: Round, target: TargetName) =>
  (round[target]?.[key] ?? Number.NaN) - (round.direct?.[key] ?? Number.NaN);

export const judge = (row: Row, rounds: readonly Round[]): Finding[] => {
  const common = {row, rounds, baseline: 'bare', subject: 'gateway', budget: row.budget} as const;
  if (row.measures === 'latency') {
    return (['p50Ms', 'p99Ms'] as const).map(key =>
      judgeFigure({
        ...common,
        label: `${row.title}, ${key.slice(0, 3)}`,
        unit: 'ms',
        of: added(key),
      }),
    );
  }
  const finding = judgeFigure({...common, label: row.title, unit: 'µs', of: cpu});
  return rounds.every(({nginx}) => nginx)
    ? [
        finding,
        judgeFigure({
          ...common,
          label: 'the same, bare against nginx with one worker',
          unit: 'µs',
          baseline: 'nginx',
          subject: 'bare',
          budget: bareToNginxMax,
          of: cpu,
        }),
      ]
    : [finding];
};
