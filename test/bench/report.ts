/** Report: the findings as a table for people. In: the machine, findings, what was skipped. Out: text. */
import type {Finding} from './judge.ts';
import {type StreamsFinding, streamsReport} from './streams/judge.ts';

const figure = ({name, value}: Finding['baseline'], unit: string) =>
  `${name} ${value.toFixed(unit === 'ms' ? 2 : 1)} ${unit}`;
/** Of a bound like a sixth, two digits behind the point would be one that counts. */
const times = (ratio: number) => ratio.toFixed(ratio < 1 ? 3 : 2);
const budgetOf = (budget: number) => (budget < 1 ? `1/${Math.round(1 / budget)}` : `${budget} ×`);

const lineOf = (finding: Finding) => {
  const {unit, ratio, ratioOfRounds, budget, met, stores, perSecond, loadShare} = finding;
  const rates = Object.entries(perSecond).map(([name, rate]) => `${name} ${rate}/s`);
  return [
    `${finding.title}`,
    `  ${figure(finding.baseline, unit)}, ${figure(finding.subject, unit)}: ${times(ratio)} × ` +
      `(rounds ${ratioOfRounds.map(times).join('–')}), budget ${budgetOf(budget)}: ${met ? 'met' : 'NOT met'}`,
    `  beside it: ${[
      ...(stores
        ? [`PostgreSQL ${stores.postgres} µs, Redis ${stores.redis} µs, Kafka ${stores.kafka} µs`]
        : []),
      ...rates,
      `load generator ${Math.round(loadShare * 100)} % of a core`,
    ].join(', ')}`,
    ...finding.remarks.map(remark => `  ${remark}`),
  ].join('\n');
};

export const reportOf = (
  {node, cores, load}: {node: string; cores: number; load: number},
  findings: readonly (Finding | StreamsFinding)[],
  skipped: readonly string[],
) =>
  [
    ...findings.map(finding => ('ratio' in finding ? lineOf(finding) : streamsReport(finding))),
    ...skipped,
    `Node ${node}, ${cores} cores, load of the last minute ${load}`,
  ].join('\n\n');
