/**
Store: the port to where records and rollups are kept. `store-postgres.ts` and `store-memory.ts` pass one contract suite.
*/
import type {DeadLetter} from '../../events/dead-letters.ts';
import type {FindTerms} from '../../events/external-terms.ts';
import type {ExportQuery, Query, Row} from './query.ts';
import type {UsageRecord} from './record.ts';
import type {Replacement, Rollup, Unit} from './rollup.ts';

/** What one batch does. Records come folded: one a request, in the order of month and request. */
export type UsageTransaction = Readonly<{
  /** Returns those that were not there. */
  insert(records: readonly UsageRecord[]): Promise<UsageRecord[]>;
  /** Replaces those whose record is unsettled; returns both. */
  replaceUnsettled(records: readonly UsageRecord[]): Promise<Replacement[]>;
  addRollups(unit: Unit, rollups: readonly Rollup[]): Promise<void>;
  /** When keys were last used; at most a minute behind. */
  noteUses(records: readonly UsageRecord[]): Promise<void>;
  bury(letters: readonly DeadLetter[]): Promise<void>;
}>;

export type ExportItem = UsageRecord | Rollup;
export type Page = Readonly<{
  after: ExportItem | undefined;
  limit: number;
  /** Whoever asked has gone. */
  signal?: AbortSignal | undefined;
}>;

export type UsageStore = Readonly<{
  /** All of it or nothing. */
  transaction<Result>(
    months: readonly string[],
    work: (transaction: UsageTransaction) => Promise<Result>,
  ): Promise<Result>;
  /** At most `limit` rows, in the order of start and dimensions; those of the query's organisation only when it names one. */
  query(query: Query, limit: number): Promise<Row[]>;
  /** What comes after an item, in the order of records' instants and ids, of hours' or days' keys; none where there is no more. */
  page(query: ExportQuery, page: Page): Promise<ExportItem[]>;
  /** Of usage of other routers. */
  findTerms: FindTerms;
  /** The record of one request of one organisation. */
  record(org: string, request: string): Promise<UsageRecord | undefined>;
}>;
