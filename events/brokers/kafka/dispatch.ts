/**
Dispatch: hands the records of the partitions that a consumer has to its handler, and keeps what came of them.

In: partitions that come and go, records as they are fetched. Out: batches, never more than asked; offsets to commit. What was
in hand when its partition went away is forgotten: whoever has the partition now gets it again. A partition that stays over a
rebalance keeps its state, so that nothing of it is handed out twice. An ordered consumer has
no more than one batch of each partition in hand. A batch in hand for longer than `expireMs` is given up: its slot stays taken
until the handler ends, if it ever does, and `onExpired` has the group hand its records to somebody else.
*/
import {type Consumer, handle, type Message, type Outcome} from '../broker.ts';
import type {RawRecord, Taken} from './message.ts';
import {type BadRecord, createPartition, type Entry, type Partition} from './partition.ts';
import {gather, type Held, inTurn} from './turns.ts';

type Batch = {held: readonly Held[]; expired: boolean; done: Promise<void>};

export type DispatchOptions = Readonly<{
  consumer: Consumer;
  take: (record: RawRecord) => Taken;
  messageOf: (partition: number, entry: Entry) => Message;
  /** Stores replies and dead letters. False when it gave up: then the messages come again. */
  store: (messages: readonly Message[], outcomes: readonly Outcome[]) => Promise<boolean>;
  /** Stores a record that is no event. False when it gave up. */
  storeBad: (partition: number, record: BadRecord) => Promise<boolean>;
  onError: (error: Error) => void;
  onExpired: () => void;
  expireMs: number;
  windowMax: number;
  windowBytes: number;
  /** After a batch that was not full: records that follow closely travel together. */
  restMs?: number;
  now?: () => number;
}>;

export const createDispatch = ({
  consumer: {batchMax, concurrency, ordered = false, onBatch},
  take,
  messageOf,
  store,
  storeBad,
  onError,
  onExpired,
  expireMs,
  windowMax,
  windowBytes,
  restMs = 20,
  now = () => performance.now(),
}: DispatchOptions) => {
  const partitions = new Map<number, Partition>();
  const assigned = new Set<number>();
  const running = new Set<Batch>();
  const busy = new Set<number>();
  const bad = new Set<Promise<void>>();
  let turn = 0;
  let restUntil = 0;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let changed = Promise.withResolvers<void>();

  const tellChange = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  const isHeld = (partition: Partition) => partitions.get(partition.number) === partition;

  const makePartition = (number: number, start: number): Partition => {
    const partition: Partition = createPartition({
      number,
      start,
      ordered,
      windowMax,
      windowBytes,
      take,
      onBad(record) {
        const work = storeBad(number, record).then(stored => {
          bad.delete(work);
          if (stored && isHeld(partition)) {
            partition.settle(record);
            refill([partition]);
          }
        });
        bad.add(work);
      },
    });
    return partition;
  };

  const isFree = ({number}: Partition) => !ordered || !busy.has(number);

  const pick = (): Held[] | undefined => {
    const time = now();
    const all = inTurn([...partitions.values()].filter(isFree), turn);
    let ready = 0;
    for (const partition of all) {
      ready += partition.ready(time, batchMax);
    }
    if (ready === 0 || (ready < batchMax && time < restUntil)) {
      const due = all.flatMap(partition => partition.dueAt() ?? []);
      const soonest = Math.max(Math.min(...due), restUntil);
      if (Number.isFinite(soonest)) {
        pumpIn(Math.max(soonest - time, 0));
      }
      return undefined;
    }
    if (batchMax > 1 && ready < batchMax) {
      restUntil = time + restMs;
    }
    turn += 1;
    return gather(all, {time, batchMax, ordered});
  };

  const pumpIn = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(pump, Math.ceil(ms) + 1);
  };

  const pump = () => {
    while (!stopped && running.size < concurrency) {
      const held = pick();
      if (!held) {
        return;
      }
      start(held);
    }
  };

  const start = (held: readonly Held[]) => {
    const numbers = new Set(held.map(({partition}) => partition.number));
    const free = () => {
      for (const number of numbers) {
        busy.delete(number);
      }
    };
    for (const number of ordered ? numbers : []) {
      busy.add(number);
    }
    const over = Promise.withResolvers<void>();
    const batch: Batch = {held, expired: false, done: over.promise};
    running.add(batch);
    const expiry = setTimeout(() => {
      batch.expired = true;
      free();
      over.resolve();
      onError(new Error(`a batch was in hand for more than ${expireMs} ms and is given up`));
      onExpired();
    }, expireMs);
    work(batch)
      .catch(onError)
      .finally(() => {
        clearTimeout(expiry);
        running.delete(batch);
        if (!batch.expired) {
          free();
        }
        over.resolve();
        tellChange();
        // The next batch is on its way before what follows it is read.
        pump();
        refill(new Set(held.map(({partition}) => partition)));
      });
  };

  const refill = (some: Iterable<Partition>) => {
    for (const partition of some) {
      partition.admit();
    }
    pump();
  };

  const work = async (batch: Batch) => {
    const messages = batch.held.map(({partition, entry}) => messageOf(partition.number, entry));
    const outcomes = await handle(onBatch, messages, onError);
    const isOurs = ({partition}: Held) => !batch.expired && isHeld(partition);
    const kept = batch.held.flatMap((held, index) => (isOurs(held) ? [index] : []));
    const ours = kept.map(index => messages[index] as Message);
    const theirs = kept.map(index => outcomes[index] as Outcome);
    const stored = kept.length === 0 || (await store(ours, theirs));
    for (const [place, index] of kept.entries()) {
      const held = batch.held[index] as Held;
      if (isOurs(held)) {
        apply(held, theirs[place] as Outcome, stored);
      }
    }
  };

  const apply = ({partition, entry}: Held, outcome: Outcome, stored: boolean) => {
    if (outcome.kind === 'retry' || !stored) {
      const {afterMs, counted = true} = outcome.kind === 'retry' ? outcome : {afterMs: 1_000};
      entry.attempt += counted ? 1 : 0;
      entry.readyAt = now() + afterMs;
      partition.retry(entry);
    } else {
      partition.settle(entry);
    }
  };

  return {
    /** The partitions that the group gives us from now on. `keep`: nobody else can have had those that we had before. */
    assign(numbers: readonly number[], keep: boolean) {
      assigned.clear();
      for (const number of numbers) {
        assigned.add(number);
      }
      for (const number of partitions.keys()) {
        if (!keep || !assigned.has(number)) {
          partitions.delete(number);
        }
      }
      tellChange();
    },
    receive(number: number, records: readonly RawRecord[], end: number) {
      const first = Number(records[0]?.offset ?? end);
      let partition = partitions.get(number);
      if (!assigned.has(number) || stopped) {
        return;
      }
      if (!partition || partition.isBefore(first)) {
        partition = makePartition(number, first);
        partitions.set(number, partition);
      }
      partition.arrive(records, end);
      pump();
    },
    /** Fetched and not looked into: what a consumer has in store. */
    arrivedBytes: (number: number) => partitions.get(number)?.arrivedBytes() ?? 0,
    allArrivedBytes: () =>
      [...partitions.values()].reduce((sum, one) => sum + one.arrivedBytes(), 0),
    toCommit: () =>
      [...partitions.values()].flatMap(partition => {
        const offset = partition.toCommit();
        return offset === undefined ? [] : [{partition, offset}];
      }),
    /** False while handlers that were given up hold every slot. */
    hasSlot: () => [...running].filter(({expired}) => expired).length < concurrency,
    /** The next time that something ended or was assigned. */
    changed: () => changed.promise,
    /** Takes nothing new; resolves when what is in hand is handled or given up. */
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await Promise.all([...[...running].map(({done}) => done), ...bad]);
    },
  };
};

export type Dispatch = ReturnType<typeof createDispatch>;
