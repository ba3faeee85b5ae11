/** Report: the findings as tables in Markdown. In: findings, the machine. Out: text. */
import type {CodecFinding} from './codec.ts';
import type {Figure, Finding} from './judge.ts';

const withRange = ({median, range}: Figure, digits: number) => {
  const text = (value: number) =>
    digits === 0 ? Math.round(value).toLocaleString('en') : value.toFixed(digits);
  return `${text(median)} (${range.map(text).join('–')})`;
};

const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;

const head = (cells: readonly string[]) => [line(cells), line(cells.map(() => '---'))];

const tableOf = (findings: readonly Finding[]) => [
  ...head([
    ...['store', 'batch', 'in flight', '', 'events/s', 'CPU µs an event', 'server’s µs'],
    ...['ours ÷ it: events/s', 'CPU'],
  ]),
  ...findings.map(finding =>
    line([
      finding.title,
      finding.batch,
      `${finding.publishers} + ${finding.concurrency}`,
      finding.contender + (finding.repeated > 0 ? `, ${finding.repeated} repeated` : ''),
      withRange(finding.perSecond, 0),
      withRange(finding.cpuMicros, 1),
      finding.serverMicros.median === 0 ? '' : withRange(finding.serverMicros, 1),
      finding.ratio?.perSecond ?? '',
      finding.ratio?.cpu ?? '',
    ]),
  ),
];

const codecTableOf = (findings: readonly CodecFinding[]) => [
  ...head(['codec', 'write µs', 'read µs', 'both ÷ JSON']),
  ...findings.map(({binding, writeMicros, readMicros, ratio}) =>
    line([binding, withRange(writeMicros, 2), withRange(readMicros, 2), ratio]),
  ),
];

export const reportOf = ({
  machine: {node, cores, load},
  findings,
  codec,
}: {
  machine: Readonly<{node: string; cores: number; load: readonly [number, number]}>;
  findings: readonly Finding[];
  codec: readonly CodecFinding[];
}) =>
  [
    `Node ${node}, ${cores} cores, load ${load.map(value => value.toFixed(1)).join(' to ')}`,
    ...(findings.length > 0 ? ['', ...tableOf(findings)] : []),
    ...(codec.length > 0 ? ['', ...codecTableOf(codec)] : []),
  ].join('\n');
