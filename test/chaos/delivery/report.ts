/**
Report: whether a run proved what it was made for, and its figures for people and for programs.

In: figures. Out: complaints, none when every effect is there once and that was hard; a table; one line of JSON.
*/
import type {Figures} from './run.ts';

const sum = (counts: Readonly<Record<string, number>>) =>
  Object.values(counts).reduce((total, count) => total + count, 0);

/** Deliveries of what was delivered before, without those that are owed to an event that is in the log twice. */
const redelivered = ({books, entries, published}: Figures) =>
  books.deliveries - books.delivered - Math.max(entries - published, 0);

export const judge = (figures: Figures): string[] => {
  const {books, events, published, waiting, kills, restarts, asked} = figures;
  const missing = events - books.effective;
  const doubled = books.effects - books.effective;
  const complaints: readonly (readonly [boolean, string])[] = [
    [published !== events, `${published} of ${events} events were published in time`],
    [waiting !== 0, `${waiting} deliveries were not done in time`],
    [missing !== 0, `${missing} effects are missing`],
    [doubled !== 0, `${doubled} effects are doubled`],
    [books.counted !== events, `the sums say ${books.counted} events, not ${events}`],
    [books.deadLetters !== 0, `${books.deadLetters} dead letters`],
    [
      redelivered(figures) < 1,
      'no duplicate was delivered: a run without one proves nothing about effects',
    ],
    [sum(kills) < asked.kills, `${sum(kills)} kills, ${asked.kills} were asked`],
    [restarts < asked.restarts, `${restarts} restarts of the broker, ${asked.restarts} were asked`],
  ];
  return complaints.filter(([isTrue]) => isTrue).map(([, text]) => text);
};

const rowsOf = (figures: Figures): readonly (readonly [string, string | number])[] => {
  const {books, kills, seconds} = figures;
  const sources = Object.entries(kills).filter(([name]) => name !== 'sink');
  return [
    ['broker', `${figures.kind}, batches of ${figures.batch}, seed ${figures.seed}`],
    ['events', figures.events],
    ['published', figures.published],
    ['published again, not acknowledged', figures.repeated],
    ['entries of the log', figures.entries],
    ['deliveries seen by the sink', books.deliveries],
    ['deliveries of what was delivered before', books.deliveries - books.delivered],
    ['… and not because it is in the log twice', redelivered(figures)],
    ['effects', books.effects],
    ['missing', figures.events - books.effective],
    ['doubled', books.effects - books.effective],
    ['dead letters', books.deadLetters],
    ['kill -9 of sources', sources.map(([, count]) => count).join(' + ') || 0],
    ['kill -9 of the sink', kills.sink ?? 0],
    ['… by itself, committed and not answered', figures.unanswered],
    ['kill -9 of the broker', figures.restarts],
    ['other ends', figures.otherEnds.length],
    ['seconds', seconds.toFixed(1)],
    ['events/s, paced', Math.round(figures.events / seconds)],
  ];
};

export const tableOf = (figures: Figures): string => {
  const rows = rowsOf(figures);
  const width = Math.max(...rows.map(([name]) => name.length));
  const verdict = judge(figures);
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    ...(verdict.length === 0
      ? ['every effect exactly once']
      : verdict.map(line => `FAILED: ${line}`)),
  ].join('\n');
};

export const jsonOf = (all: readonly Figures[]): string =>
  JSON.stringify(
    all.map(figures => {
      const {output: _, ...rest} = figures;
      return {...rest, redelivered: redelivered(figures), failures: judge(figures)};
    }),
  );
