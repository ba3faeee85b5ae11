/**
Aggregate: the shell of the usage function. A batch in, one transaction, nothing out.

Repeating a batch does nothing: only records that are really new, or that replace an unsettled one, reach the rollups.
An event whose data can never be a record becomes a dead letter in the same transaction, so it holds nothing up.
*/
import {type DeadLetter, refusedBy} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';
import {type ExternalUsage, readExternalUsage, recordedType} from '../../events/external-usage.ts';
import type {Metrics} from '../../events/metrics.ts';
import type {BatchHandler} from '../../events/serve.ts';
import {externalRecord} from './external.ts';
import {foldRecords, isFinal, readRecord, type UsageRecord} from './record.ts';
import {rollUp} from './rollup.ts';
import type {UsageStore} from './store.ts';

const lagBuckets = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86_400];

export const aggregate = ({
  store,
  metrics,
  now = Date.now,
}: {
  store: UsageStore;
  metrics: Metrics;
  now?: () => number;
}): BatchHandler => {
  const count = metrics.counter(
    'sluice_usage_events_total',
    'Events of the log by what became of them.',
  );
  const duration = metrics.histogram(
    'sluice_usage_batch_duration_seconds',
    'Duration of a batch.',
  )();
  const lag = metrics.histogram(
    'sluice_usage_lag_seconds',
    'From the end of a request to its record being committed.',
    lagBuckets,
  )();
  return async function aggregateBatch(events) {
    const started = now();
    const {records, letters, ignored} = await readAll(store, events, started);
    const folded = foldRecords(records);
    const done = await store.transaction(monthsOf(folded), async transaction => {
      const added = await transaction.insert(folded);
      const addedRequests = new Set(added.map(record => record.request));
      const repeated = folded.filter(
        record => isFinal(record) && !addedRequests.has(record.request),
      );
      const replaced = await transaction.replaceUnsettled(repeated);
      await transaction.addRollups('hour', rollUp(added, replaced, 'hour'));
      await transaction.addRollups('day', rollUp(added, replaced, 'day'));
      await transaction.noteUses(added);
      await transaction.bury(letters);
      return {added, replaced: replaced.map(({after}) => after)};
    });
    const ended = now();
    for (const record of [...done.added, ...done.replaced]) {
      lag.observe(Math.max(0, ended - Date.parse(record.finishedAt)) / 1000);
    }
    duration.observe((ended - started) / 1000);
    count({result: 'added'}).add(done.added.length);
    count({result: 'replaced'}).add(done.replaced.length);
    count({result: 'repeated'}).add(records.length - done.added.length - done.replaced.length);
    count({result: 'ignored'}).add(ignored);
    count({result: 'refused'}).add(letters.length);
  };
};

const readAll = async (
  {findTerms}: Pick<UsageStore, 'findTerms'>,
  events: readonly Event[],
  nowMs: number,
) => {
  const records: UsageRecord[] = [];
  const letters: DeadLetter[] = [];
  const external: {event: Event; usage: ExternalUsage}[] = [];
  let ignored = 0;
  for (const event of events) {
    const reading = event.type === recordedType ? undefined : readRecord(event, nowMs);
    const usage = reading ? undefined : readExternalUsage(event, nowMs);
    if (reading === 'ignored') {
      ignored += 1;
    } else if (typeof usage === 'object') {
      external.push({event, usage});
    } else if (reading && 'record' in reading) {
      records.push(reading.record);
    } else {
      letters.push(refusedBy('usage', event, reading?.refused ?? (usage as string)));
    }
  }
  const terms = await findTerms(external.map(({usage}) => usage));
  for (const [index, {event, usage}] of external.entries()) {
    const found = terms[index];
    if (typeof found === 'object') {
      records.push(externalRecord(usage, found));
    } else {
      letters.push(refusedBy('usage', event, found ?? 'data: expected terms'));
    }
  }
  return {records, letters, ignored};
};

/** Of the records and of their hours, which may begin another month. */
const monthsOf = (records: readonly UsageRecord[]) => [
  ...new Set(records.flatMap(({month, at}) => [month, `${at.slice(0, 7)}-01`])),
];
