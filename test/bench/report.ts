/** Report: the findings as a table for people. In: findings, what was skipped. Out: text. */
import type {Finding} from './judge.ts';

const figure = ({name, value}: Finding['baseline'], unit: string) =>
  `${name} ${value.toFixed(unit === 'ms' ? 2 : 1)} ${unit}`;

const lineOf = (finding: Finding) => {
  const {unit, ratio, ratioOfRounds, budget, met, postgres, perSecond, loadShare} = finding;
  const rates = Object.entries(perSecond).map(([name, rate]) => `${name} ${rate}/s`);
  return [
    `${finding.title}`,
    `  ${figure(finding.baseline, unit)}, ${figure(finding.subject, unit)}: ${ratio.toFixed(2)} × ` +
      `(rounds ${ratioOfRounds.map(value => value.toFixed(2)).join('–')}), budget ${budget} ×: ${met ? 'met' : 'NOT met'}`,
    `  beside it: ${[
      ...(postgres === undefined ? [] : [`PostgreSQL ${postgres.toFixed(1)} µs`]),
      ...rates,
      `load generator ${Math.round(loadShare * 100)} % of a core`,
    ].join(', ')}`,
    ...finding.remarks.map(remark => `  ${remark}`),
  ].join('\n');
};

export const reportOf = (findings: readonly Finding[], skipped: readonly string[]) =>
  [...findings.map(lineOf), ...skipped].join('\n\n');
