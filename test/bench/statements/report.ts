/**
Report: what a row came to, beside its budget.

In: counts of one row. Out: statements a second in total and by name, whether they stay within the budget; a table of all rows.
*/
import {percentile, rounded} from '../figures.ts';
import type {Statements} from './count.ts';
import type {Count} from './load.ts';

/** Statements a second, of all gateways together. */
export const statementsMax = 100;
/** Below this share of its rate a row shows nothing. */
const rateShareMin = 0.98;

export type Finding = Readonly<{
  keys: number;
  /** Answers with 200 a second. */
  served: number;
  refused: Readonly<Record<string, number>>;
  perSecond: number;
  byName: Readonly<Record<string, number>>;
  /** Of PostgreSQL, executing them, of one core. */
  postgresShare: number;
  /** Of all gateways, of one core. */
  gatewaysShare: number;
  p50Ms: number;
  p99Ms: number;
  /** Statements of the warming, a key and gateway each asked for once. */
  cold: Readonly<Record<string, number>>;
  warmSeconds: number;
  met: boolean;
}>;

export const judge = ({
  keys,
  rate,
  elapsed,
  statements,
  counted,
  cpuShare,
  cold,
  warmSeconds,
}: {
  keys: number;
  rate: number;
  elapsed: number;
  statements: Statements;
  counted: Count;
  cpuShare: number;
  cold: Statements;
  warmSeconds: number;
}): Finding => {
  const all = Object.entries(statements);
  const perSecond = all.reduce((sum, [, {calls}]) => sum + calls, 0) / elapsed;
  const {200: good = 0, ...refused} = counted.statuses;
  const served = good / elapsed;
  return {
    keys,
    served: Math.round(served),
    refused,
    perSecond: rounded(perSecond, 1),
    byName: Object.fromEntries(all.map(([name, {calls}]) => [name, rounded(calls / elapsed, 1)])),
    postgresShare: rounded(all.reduce((sum, [, {ms}]) => sum + ms, 0) / elapsed / 1_000, 3),
    gatewaysShare: rounded(cpuShare, 2),
    p50Ms: rounded(percentile(counted.latenciesMs, 0.5), 1),
    p99Ms: rounded(percentile(counted.latenciesMs, 0.99), 1),
    cold: Object.fromEntries(Object.entries(cold).map(([name, {calls}]) => [name, calls])),
    warmSeconds: rounded(warmSeconds, 1),
    met: perSecond <= statementsMax && served >= rate * rateShareMin,
  };
};

const listed = (figures: Readonly<Record<string, number>>) =>
  Object.entries(figures)
    .sort(([, one], [, two]) => two - one)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');

export const reportOf = ({
  node,
  cores,
  load,
  rate,
  gateways,
  seconds,
  findings,
}: {
  node: string;
  cores: number;
  load: number;
  rate: number;
  gateways: number;
  seconds: number;
  findings: readonly Finding[];
}) =>
  [
    `Node ${node}, ${cores} cores, load ${load.toFixed(1)}; ${rate} requests/s over ${gateways} gateways, ${seconds} s a row`,
    '',
    `| keys | statements/s, at most ${statementsMax} | by name | executing, of a core | served/s | not 200 | p50, p99 ms |`,
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...findings.map(
      ({keys, perSecond, met, byName, postgresShare, served, refused, p50Ms, p99Ms}) =>
        `| ${keys} | ${perSecond}${met ? '' : ', NOT met'} | ${listed(byName)} | ${postgresShare} | ${served} | ${listed(refused) || 'none'} | ${p50Ms}, ${p99Ms} |`,
    ),
    '',
    ...findings.map(
      ({keys, cold, warmSeconds}) => `${keys} keys, cold, in ${warmSeconds} s: ${listed(cold)}`,
    ),
  ].join('\n');
