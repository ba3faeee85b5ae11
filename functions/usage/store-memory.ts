/**
Store in memory: what the contract suite holds PostgreSQL to. Work happens on a copy that replaces the state at its end.
*/
import type {DeadLetter} from '../../events/dead-letters.ts';
import {emptyRegistry, findTermsAmong, type Registry} from '../../events/external-terms-memory.ts';
import {lastUses} from './key-uses.ts';
import type {ExportQuery, Query, Row} from './query.ts';
import type {UsageRecord} from './record.ts';
import {
  addSums,
  nothing,
  type Replacement,
  type Rollup,
  type Sums,
  startOf,
  sumNames,
  type Unit,
} from './rollup.ts';
import type {ExportItem, Page, UsageStore, UsageTransaction} from './store.ts';

type State = {
  records: Map<string, UsageRecord>;
  rollups: Record<Unit, Map<string, Rollup>>;
  letters: Map<string, DeadLetter>;
  /** By key: ms since 1970. */
  uses: Map<string, number>;
};

export const createMemoryStore = (): UsageStore & {
  letters(): DeadLetter[];
  registry: Registry;
} => {
  const registry = emptyRegistry();
  let state: State = {
    records: new Map(),
    rollups: {hour: new Map(), day: new Map()},
    letters: new Map(),
    uses: new Map(),
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    registry,
    findTerms: findTermsAmong(registry),
    page: async (query, page) => pageOf(state, query, page),
    transaction(_months, work) {
      const result = last.then(async () => {
        const copy = {
          records: new Map(state.records),
          rollups: {hour: new Map(state.rollups.hour), day: new Map(state.rollups.day)},
          letters: new Map(state.letters),
          uses: new Map(state.uses),
        };
        const done = await work(createTransaction(copy));
        state = copy;
        return done;
      });
      last = result.catch(() => {});
      return result;
    },
    query: async (query, limit) =>
      queryRollups([...state.rollups.hour.values()], query).slice(0, limit),
    record: async (org, request) => {
      const record = state.records.get(request);
      return record?.org === org ? record : undefined;
    },
    letters: () => [...state.letters.values()],
  };
};

const createTransaction = (state: State): UsageTransaction => ({
  async insert(records) {
    const added = records.filter(record => !state.records.has(record.request));
    for (const record of added) {
      state.records.set(record.request, record);
    }
    return added;
  },
  async replaceUnsettled(records) {
    const replaced: Replacement[] = [];
    for (const after of records) {
      const before = state.records.get(after.request);
      if (before?.outcome === 'unsettled') {
        state.records.set(after.request, after);
        replaced.push({before, after});
      }
    }
    return replaced;
  },
  async addRollups(unit, rollups) {
    for (const rollup of rollups) {
      const key = JSON.stringify([
        rollup.start,
        rollup.org,
        rollup.project,
        rollup.key,
        rollup.model,
        rollup.environment,
        rollup.endpoint,
      ]);
      state.rollups[unit].set(key, {
        ...rollup,
        ...addSums(state.rollups[unit].get(key) ?? nothing, rollup),
      });
    }
  },
  async noteUses(records) {
    for (const [key, {atMs}] of lastUses(records)) {
      state.uses.set(key, Math.max(atMs, state.uses.get(key) ?? 0));
    }
  },
  async bury(letters) {
    for (const letter of letters) {
      if (!state.letters.has(letter.id)) {
        state.letters.set(letter.id, letter);
      }
    }
  },
});

/** The place of an item in an export. */
const placeOf = (item: ExportItem): readonly string[] =>
  'request' in item
    ? [item.at, item.request]
    : [item.start, item.project, item.key, item.model, item.environment, item.endpoint];

const comparePlaces = (one: ExportItem, other: ExportItem) => {
  const [left, right] = [placeOf(one), placeOf(other)];
  const index = left.findIndex((part, at) => part !== right[at]);
  return index === -1 ? 0 : (left[index] as string) < (right[index] as string) ? -1 : 1;
};

const pageOf = (
  {records, rollups}: State,
  {org, filters, from, to, granularity}: ExportQuery,
  {after, limit}: Page,
): ExportItem[] => {
  const items: ExportItem[] =
    granularity === 'record' ? [...records.values()] : [...rollups[granularity].values()];
  const start = (text: string) => (granularity === 'day' ? text.slice(0, 10) : text);
  const timeOf = (item: ExportItem) => ('request' in item ? item.at : item.start);
  return items
    .filter(
      item =>
        item.org === org &&
        timeOf(item) >= start(from) &&
        timeOf(item) < start(to) &&
        Object.entries(filters).every(
          ([name, value]) => item[name as keyof typeof filters] === value,
        ) &&
        (after === undefined || comparePlaces(item, after) > 0),
    )
    .sort(comparePlaces)
    .slice(0, limit);
};

const queryRollups = (
  rollups: readonly Rollup[],
  {org, filters, from, to, groupBy, granularity}: Query,
): Row[] => {
  const rows = new Map<string, Row>();
  for (const rollup of rollups) {
    const wanted =
      (org === undefined || rollup.org === org) &&
      rollup.start >= from &&
      rollup.start < to &&
      Object.entries(filters).every(
        ([name, value]) => rollup[name as keyof typeof filters] === value,
      );
    if (wanted) {
      const start = granularity === 'total' ? undefined : beginningOf(rollup.start, granularity);
      const dimensions = Object.fromEntries(groupBy.map(name => [name, rollup[name]]));
      const key = JSON.stringify([start ?? '', ...Object.values(dimensions)]);
      const sums = addSums(rows.get(key)?.sums ?? nothing, onlySums(rollup));
      rows.set(key, {...(start === undefined ? {} : {start}), dimensions, sums});
    }
  }
  return [...rows.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
};

const beginningOf = (start: string, granularity: 'hour' | 'day' | 'month') =>
  granularity === 'month' ? start.slice(0, 7) : startOf(start, granularity);

const onlySums = (rollup: Rollup) =>
  Object.fromEntries(sumNames.map(name => [name, rollup[name]])) as Sums;
