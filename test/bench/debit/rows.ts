/** Rows: which function is measured with which traffic, and its bounds. */
import {organisations, type Skew} from './traffic.ts';
import type {FunctionName} from './worker.ts';

export type Row = Readonly<{name: string; title: string; of: FunctionName; skew: Skew}>;

/** Some seconds of 1,000 requests a second: so many holds are open at each point of the log. */
const inFlight = 2_000;
const even: Skew = {hotShare: 1 / organisations, inFlight};
const hot: Skew = {hotShare: 0.9, inFlight};

export const rows: readonly Row[] = [
  {name: 'budget', title: 'debit, 32 organisations', of: 'budget', skew: even},
  {name: 'budget-hot', title: 'debit, 90 % of one organisation', of: 'budget', skew: hot},
  {name: 'usage', title: 'usage, 32 organisations', of: 'usage', skew: even},
  {name: 'usage-hot', title: 'usage, 90 % of one organisation', of: 'usage', skew: hot},
];

/** From Kafka to visible with everything awake: milliseconds, at the 99th percentile. */
export type LagRow = Readonly<{name: string; title: string; of: FunctionName; p99Ms: number}>;
export const lagRows: readonly LagRow[] = [
  {name: 'budget-lag', title: 'debit, sent until visible', of: 'budget', p99Ms: 1_000},
  {name: 'usage-lag', title: 'usage, sent until visible', of: 'usage', p99Ms: 2_000},
];
export const lagTraffic = {rate: 400, seconds: 15, skew: {...even, inFlight: 200}} as const;

/** Of the first's requests a second, how many at least of the second's. */
export const bounds = [
  {subject: 'chain', baseline: 'memory', atLeast: 0.5},
  {subject: 'memory', baseline: 'raw', atLeast: 0.15},
] as const;
