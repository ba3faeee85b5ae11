/**
Partition: the records of one partition that a consumer holds, from their arrival until they are settled.

In: records as they are fetched; what is taken, settled, retried. Out: entries that are ready, the offset to commit. Records
wait unread in `arrived` until the window has room, so that a record that is not settled bounds what is held behind it.
Ordered, a retry holds up all that follows it in the partition; else only itself.
*/
import type {Event} from '../../event.ts';
import {bytesOf, type RawRecord, type Taken} from './message.ts';
import {createWindow} from './window.ts';

export type Entry = {
  readonly offset: number;
  readonly bytes: number;
  readonly json: string;
  readonly event: Event;
  attempt: number;
  readyAt: number;
};
export type BadRecord = Readonly<{offset: number; json: string; reason: string}>;

export const createPartition = ({
  number,
  start,
  ordered,
  windowMax,
  windowBytes,
  take,
  onBad,
}: {
  number: number;
  /** The first offset that was fetched: what the group had committed. */
  start: number;
  ordered: boolean;
  windowMax: number;
  windowBytes: number;
  take: (record: RawRecord) => Taken;
  /** Settles it when it is kept. */
  onBad: (record: BadRecord) => void;
}) => {
  const window = createWindow(start);
  /** Fetched, not looked into; what is before `at` is admitted. */
  let arrived: RawRecord[] = [];
  let at = 0;
  let arrivedBytes = 0;
  /** Read, in nobody's hands, by offset. */
  const waiting: Entry[] = [];
  let held = 0;
  let endOfArrived = start;
  let committed = start;

  const admit = () => {
    while (at < arrived.length && window.size() < windowMax && held < windowBytes) {
      const record = arrived[at] as RawRecord;
      at += 1;
      arrivedBytes -= bytesOf(record);
      const offset = Number(record.offset);
      if (!window.read(offset)) {
        continue;
      }
      const taken = take(record);
      if (taken.kind === 'event') {
        const {event, json} = taken;
        const bytes = bytesOf(record);
        waiting.push({offset, bytes, json, event, attempt: 1, readyAt: 0});
        held += bytes;
      } else if (taken.kind === 'bad') {
        onBad({offset, json: taken.json, reason: taken.reason});
      } else {
        window.settle(offset);
      }
    }
    if (at === arrived.length) {
      arrived = [];
      at = 0;
      window.skipTo(endOfArrived);
    }
  };

  const readyAmong = (now: number, limit: number): number[] => {
    const found: number[] = [];
    for (let place = 0; place < waiting.length && found.length < limit; place += 1) {
      if ((waiting[place] as Entry).readyAt <= now) {
        found.push(place);
      } else if (ordered) {
        break;
      }
    }
    return found;
  };

  return {
    number,
    /** `end` is one past the last record of the fetch, those that no consumer sees included. */
    arrive(records: readonly RawRecord[], end: number) {
      arrived = [...arrived.slice(at), ...records];
      at = 0;
      arrivedBytes += records.reduce((sum, record) => sum + bytesOf(record), 0);
      endOfArrived = Math.max(endOfArrived, end);
      admit();
    },
    /** An offset below what was committed comes only when somebody has set the topic or the group back. */
    isBefore: (offset: number) => offset < committed,
    ready: (now: number, limit: number) => readyAmong(now, limit).length,
    take(now: number, limit: number): Entry[] {
      const places = readyAmong(now, limit);
      const entries = places.map(place => waiting[place] as Entry);
      if (places.length > 0 && places.at(-1) === places.length - 1) {
        waiting.splice(0, places.length);
      } else {
        for (const place of places.reverse()) {
          waiting.splice(place, 1);
        }
      }
      return entries;
    },
    /** Is what comes next one that was tried before? */
    isRetrying: () => (waiting[0]?.attempt ?? 1) > 1,
    /** Undefined when nothing waits. */
    dueAt(): number | undefined {
      return ordered
        ? waiting[0]?.readyAt
        : waiting.reduce<number | undefined>(
            (soonest, {readyAt}) => Math.min(soonest ?? readyAt, readyAt),
            undefined,
          );
    },
    retry(entry: Entry) {
      const place = waiting.findIndex(({offset}) => offset > entry.offset);
      waiting.splice(place === -1 ? waiting.length : place, 0, entry);
    },
    settle({offset, bytes = 0}: {offset: number; bytes?: number}) {
      window.settle(offset);
      held -= bytes;
    },
    /** Reads what there is room for. Apart from `settle`, so that a batch that is ready need not wait for the next to be read. */
    admit,
    arrivedBytes: () => arrivedBytes,
    /** The offset to commit, when it is another than the last. */
    toCommit: () => (window.lowWater() > committed ? window.lowWater() : undefined),
    onCommitted(offset: number) {
      committed = Math.max(committed, offset);
    },
  };
};

export type Partition = ReturnType<typeof createPartition>;
