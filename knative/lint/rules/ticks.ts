/**
Ticks: no PingSource is more frequent than every 15 minutes. A tick is a broom, and one that never rests keeps a function awake.
*/
import {Cron} from 'croner';
import {findingsOf, type Rule} from '../finding.ts';
import {ofKind} from '../wiring.ts';

const quarterMs = 15 * 60_000;
const runsLookedAt = 100;
const warning = findingsOf('tick', 'warning');

export const ticksAreRare: Rule = ({resources}) =>
  ofKind(resources, 'PingSource')
    .filter(({spec}) => shortestGapMs(String(spec.schedule ?? '* * * * *')) < quarterMs)
    .map(source =>
      warning(
        source,
        ['spec', 'schedule'],
        'ticks more often than every 15 minutes: what it wakes never goes to zero',
      ),
    );

/** Over the next runs, in UTC: where clocks change, gaps grow or shrink once a year. */
const shortestGapMs = (schedule: string): number => {
  try {
    const runs = new Cron(schedule, {timezone: 'UTC'}).nextRuns(runsLookedAt, new Date(0));
    const gaps = runs.slice(1).map((run, index) => run.getTime() - (runs[index]?.getTime() ?? 0));
    return Math.min(Number.POSITIVE_INFINITY, ...gaps);
  } catch {
    // The plan has complained about it.
    return Number.POSITIVE_INFINITY;
  }
};
