/** Report: the table that a storm ends with, and its verdict. In: findings. Out: lines of text; the exit code. */

import {type Findings, judge, receivedOf} from './judge.ts';
import {overagesOf} from './overage.ts';
import {chargedLeast, unproved} from './proof.ts';
import type {Lag} from './watch.ts';

const dollars = (nanos: bigint) => `$${(Number(nanos) / 1e9).toFixed(6)}`;

const countBy = (names: readonly string[]): string => {
  const counts = new Map<string, number>();
  for (const name of names) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
};

export type Run = Findings &
  Readonly<{
    seed: number;
    fault: string | undefined;
    clients: number;
    most: number;
    unanswered: number;
    seconds: number;
    lags: readonly Lag[];
    /** Ledger rows that the restored backup had before its replay, and after. */
    replayed: Readonly<{before: number; after: number}> | undefined;
    /** The end of what each process wrote. */
    output: Readonly<Record<string, string>>;
  }>;

const rowsOf = (run: Run): readonly (readonly [string, string | number])[] => {
  const {books, outcomes, history, refusals} = run;
  const window = books.windows.find(one => one.budget === run.budget);
  const charged = (window?.spent ?? 0n) + (window?.overage ?? 0n);
  const overages = overagesOf(run);
  const ofEntry = (name: string) => books.ledger.filter(({entry}) => entry === name).length;
  const longest = refusals.spans.reduce((most, span) => Math.max(most, span.toMs - span.fromMs), 0);
  const statuses = outcomes.map(({status}) => status);
  const reasons = ['frozen', 'late result', undefined] as const;
  return [
    ['seed', `${run.seed}${run.fault === undefined ? '' : `, broken on purpose: ${run.fault}`}`],
    ['seconds', run.seconds.toFixed(1)],
    ['requests at once, at most', `${run.most} of ${run.clients} clients`],
    ['cap', dollars(run.limit)],
    [
      'charged',
      `${dollars(charged)}, ${((Number(charged) / Number(run.limit)) * 100).toFixed(2)} % of the cap`,
    ],
    ...reasons.flatMap(reason => {
      const those = overages.filter(one => one.reason === reason);
      const sum = those.reduce((total, {nanos}) => total + nanos, 0n);
      return reason !== undefined || those.length > 0
        ? [
            [
              `… of it overage, ${reason ?? 'without a reason'}`,
              `${dollars(sum)} of ${those.length} requests`,
            ] as const,
          ]
        : [];
    }),
    [
      'this process late by 0.5 s and more',
      `${run.lags.filter(({lagMs}) => lagMs >= 500).length} times, the longest ${Math.round(Math.max(0, ...run.lags.map(({lagMs}) => lagMs)))} ms`,
    ],
    ['answers by status', countBy(statuses.map(String))],
    ['connections without an answer', run.unanswered],
    ['refusals, 429 and 402', statuses.filter(status => status === 429 || status === 402).length],
    [
      'false refusals',
      `${refusals.count} in ${refusals.spans.length} spans, the longest ${longest} ms; outside of one lease life after a kill: ${refusals.broken.length} spans, and ${refusals.starved.length} while the machine stood still`,
    ],
    ['requests of which a client received a byte', receivedOf(outcomes).size],
    [
      'ledger rows',
      `${books.ledger.length}: result ${ofEntry('result')}, unsettled ${ofEntry('unsettled')}, correction ${ofEntry('correction')}`,
    ],
    ['usage records', books.records.size],
    ['duplicates absorbed', run.duplicates],
    ['struck', countBy(run.struck.map(({what}) => what))],
    [
      'answers open at the kills of gateways',
      run.struck
        .filter(({what}) => what === 'kill -9 of a gateway')
        .map(({open}) => open ?? 0)
        .join(', ') || 'none',
    ],
    [
      'PostgreSQL killed in mid-transaction',
      run.struck.filter(({inTransaction}) => inTransaction).length,
    ],
    ['fences', `${history.fences}, with open holds ${history.openFences}`],
    ...(run.replayed
      ? [
          [
            'backup restored and replayed',
            `${run.replayed.before} ledger rows, then ${run.replayed.after}${run.restored?.length === 0 ? ', equal' : ''}`,
          ] as const,
        ]
      : []),
  ];
};

/** 1: a promise is broken; 3: none is, but the run proved nothing. */
export const exitCodeOf = (run: Run): 0 | 1 | 3 =>
  judge(run).length > 0 ? 1 : unproved(run).length > 0 ? 3 : 0;

export const tableOf = (run: Run): string => {
  const rows = rowsOf(run);
  const width = Math.max(...rows.map(([name]) => name.length));
  const broken = judge(run);
  const missing = unproved(run);
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...broken.map(line => `BROKEN: ${line}`),
    ...missing.map(line => `proved nothing: the run did not meet ${line}`),
    ...(broken.length + missing.length === 0
      ? [`every promise held, with ${chargedLeast.numerator} % of the cap and more charged`]
      : []),
  ].join('\n');
};

export const jsonOf = (run: Run): string => {
  const rows = Object.fromEntries(rowsOf(run));
  return JSON.stringify({...rows, broken: judge(run), unproved: unproved(run)});
};
