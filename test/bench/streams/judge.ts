/** Judge: what open streams came to, against their budget. Pure. In: what was counted every second. Out: the finding, and its text. */
import {median, rounded} from '../figures.ts';
import type {Count} from './load.ts';

export type StreamsFinding = Readonly<{
  row: 'streams';
  title: string;
  met: boolean;
  budgetMiB: number;
  residentMiB: Readonly<{idle: number; median: number; highest: number}>;
  tokens: number;
  late: number;
  latestMs: number;
  cpuShare: number;
  remarks: readonly string[];
}>;

const mebibyte = 1024 * 1024;
const budgetMiB = 300;
/** Between the end of one and the beginning of the next it is neither. */
const openShare = 0.99;

const reasonsOf = (counts: readonly Count[]) =>
  [...new Set(counts.flatMap(({failures}) => Object.keys(failures)))].join(', ');

export const judgeStreams = ({
  streams,
  minutes,
  idle,
  memory,
  counts,
  cpuShare,
}: {
  streams: number;
  minutes: number;
  idle: number;
  memory: readonly number[];
  /** One a second. */
  counts: readonly Count[];
  cpuShare: number;
}): StreamsFinding => {
  const sum = (of: (count: Count) => number) => counts.reduce((all, count) => all + of(count), 0);
  const mebibytes = (bytes: number) => rounded(bytes / mebibyte, 1);
  const [late, failed] = [sum(count => count.late), sum(count => count.failed)];
  const fewest = Math.min(...counts.map(({open}) => open));
  const highest = mebibytes(Math.max(...memory));
  const remarks = [
    ...(late > 0 ? [`${late} tokens were late by more than a second`] : []),
    ...(failed > 0 ? [`${failed} streams failed: ${reasonsOf(counts)}`] : []),
    ...(fewest < streams * openShare ? [`only ${fewest} streams were open for a moment`] : []),
  ];
  return {
    row: 'streams',
    title: `${streams} open streams, a token a second each, ${minutes} minutes`,
    met: highest <= budgetMiB && remarks.length === 0,
    budgetMiB,
    residentMiB: {idle: mebibytes(idle), median: mebibytes(median(memory)), highest},
    tokens: sum(count => count.tokens),
    late,
    latestMs: Math.round(Math.max(...counts.map(({latestMs}) => latestMs))),
    cpuShare: rounded(cpuShare, 2),
    remarks,
  };
};

export const streamsReport = (finding: StreamsFinding): string => {
  const {title, met, residentMiB, tokens, latestMs, cpuShare} = finding;
  return [
    title,
    `  resident memory ${residentMiB.highest} MiB at most, median ${residentMiB.median}, before ${residentMiB.idle}, ` +
      `budget ${finding.budgetMiB} MiB: ${met ? 'met' : 'NOT met'}`,
    `  beside it: ${tokens} tokens, the latest by ${latestMs} ms, gateway ${Math.round(cpuShare * 100)} % of a core`,
    ...finding.remarks.map(remark => `  ${remark}`),
  ].join('\n');
};
