/** Report: the findings as a table in Markdown. In: findings, the machine. Out: text. */
import type {Finding, LagFinding, SoakFinding} from './judge.ts';

const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
const count = (value: number) => value.toLocaleString('en');
const percent = (share: number) => `${Math.round(share * 100)} %`;

const rowOf = ({title, contender, perSecond, perSecondOfRounds, cpuMicros, of, met}: Finding) =>
  line([
    title,
    contender,
    `${count(perSecond)} (${perSecondOfRounds.map(count).join('–')})`,
    Object.entries(cpuMicros)
      .map(([name, micros]) => `${name} ${Math.round(micros)}`)
      .join(', '),
    of
      ? `${percent(of.share)} of ${of.baseline} (${of.shareOfRounds.map(percent).join('–')}), at least ${percent(of.atLeast)}: ${met ? 'met' : 'NOT met'}`
      : '',
  ]);

const lagOf = ({title, results, p50Ms, p99Ms, atMostMs, met}: LagFinding) =>
  `${title}: p50 ${p50Ms} ms, p99 ${p99Ms} ms of ${count(results)} results; at most ${count(atMostMs)} ms: ${met ? 'met' : 'NOT met'}`;

const soakOf = ({process, events, earlyMib, lateMib, highestMib, met}: SoakFinding) =>
  `${process}: ${earlyMib} MiB in the second fifth of ${count(events)} events, ${lateMib} in the last, ${highestMib} at most: ${met ? 'flat' : 'NOT flat'}`;

export const reportOf = ({
  machine: {node, cores, load},
  findings,
  lags,
  soak,
}: {
  machine: Readonly<{node: string; cores: number; load: readonly [number, number]}>;
  findings: readonly Finding[];
  lags: readonly LagFinding[];
  soak: readonly SoakFinding[];
}) => {
  const head = ['', '', 'requests/s', 'CPU µs a request', 'share'];
  return [
    `Node ${node}, ${cores} cores, load ${load.map(value => value.toFixed(1)).join(' to ')}`,
    ...(findings.length > 0
      ? ['', line(head), line(head.map(() => '---')), ...findings.map(rowOf)]
      : []),
    ...(lags.length > 0 ? ['', ...lags.map(lagOf)] : []),
    ...(soak.length > 0 ? ['', ...soak.map(soakOf)] : []),
  ].join('\n');
};
