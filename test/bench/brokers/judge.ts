/**
Judge: what the rounds of a row came to. Pure.

In: a row, its rounds. Out: a finding for each contender: medians and ranges; for the raw ones what ours is to them. A ratio is
that of the medians.
*/
import {median, rounded} from '../figures.ts';
import type {Row} from './rows.ts';

export type Sample = Readonly<{
  perSecond: number;
  /** CPU of the process that publishes and handles, an event. */
  cpuMicros: number;
  /** CPU of the server, an event. */
  serverMicros: number;
  /** Deliveries beyond the first of an event. */
  repeated: number;
}>;
/** By contender. */
export type Round = Readonly<Record<string, Sample>>;

export type Figure = Readonly<{median: number; range: readonly [lowest: number, highest: number]}>;
export type Finding = Readonly<{
  row: string;
  title: string;
  batch: number;
  publishers: number;
  concurrency: number;
  contender: string;
  perSecond: Figure;
  cpuMicros: Figure;
  serverMicros: Figure;
  repeated: number;
  /** Ours ÷ this one; none for ours. */
  ratio?: Readonly<{perSecond: number; cpu: number}>;
}>;

const figureOf = (values: readonly number[], digits: number): Figure => ({
  median: rounded(median(values), digits),
  range: [rounded(Math.min(...values), digits), rounded(Math.max(...values), digits)],
});

export const judge = (row: Row, rounds: readonly Round[]): Finding[] => {
  const {name, title, load, contenders} = row;
  const {batch, publishers, concurrency} = load;
  const valuesOf = (contender: string, key: keyof Sample) =>
    rounds.map(round => round[contender]?.[key] ?? Number.NaN);
  const ratioTo = (contender: string, key: keyof Sample) =>
    rounded(median(valuesOf('ours', key)) / median(valuesOf(contender, key)), 2);
  return contenders.map(contender => ({
    row: name,
    ...{title, batch, publishers, concurrency, contender},
    perSecond: figureOf(valuesOf(contender, 'perSecond'), 0),
    cpuMicros: figureOf(valuesOf(contender, 'cpuMicros'), 1),
    serverMicros: figureOf(valuesOf(contender, 'serverMicros'), 1),
    repeated: valuesOf(contender, 'repeated').reduce((sum, value) => sum + value, 0),
    ...(contender === 'ours'
      ? {}
      : {
          ratio: {
            perSecond: ratioTo(contender, 'perSecond'),
            cpu: ratioTo(contender, 'cpuMicros'),
          },
        }),
  }));
};
