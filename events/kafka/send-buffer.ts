/**
Send buffer: many small sends become few large ones, because a request of one record costs Kafka nearly what fifty cost.

In: records. Out: a promise for each call, kept when all of its records are acknowledged, broken at the deadline whatever the
transport still does. At most `inFlightMax` requests are under way; a key is in one of them only, so that a request that is
repeated never overtakes a later one. What waits is bounded by number and bytes: more is refused at once.
*/
import {SluiceError} from '../errors.ts';

export type Outgoing = Readonly<{
  topic: string;
  key: string | null;
  value: string;
  headers: Readonly<Record<string, string>>;
}>;

export type BufferLimits = Readonly<{
  /** How long the first record of a request waits for company. 0: not at all. */
  lingerMs: number;
  batchMax?: number;
  /** Of one request. Kafka takes 1 MiB of a partition unless its topic says more; a larger record travels alone. */
  batchBytes?: number;
  waitingMax?: number;
  waitingBytes?: number;
  inFlightMax?: number;
}>;

type Call = {
  /** Records not yet on their way, and records not yet acknowledged. */
  unsent: number;
  left: number;
  fail: (error: Error) => void;
  done: () => void;
};
type Item = {record: Outgoing; bytes: number; call: Call};

const unavailable = (message: string, cause?: unknown) =>
  new SluiceError('unavailable', message, {retryAfterSeconds: 1, cause});

export const createSendBuffer = ({
  transmit,
  lingerMs,
  batchMax = 500,
  batchBytes = 900_000,
  waitingMax = 20_000,
  waitingBytes = 64 * 1024 * 1024,
  inFlightMax = 1,
  sendMs = 2_000,
}: BufferLimits & {
  /** Must end by itself: until then its place is taken. */
  transmit: (records: readonly Outgoing[]) => Promise<void>;
  sendMs?: number;
}) => {
  let waiting: Item[] = [];
  const load = {records: 0, bytes: 0, inFlight: 0};
  const keysInFlight = new Set<string>();
  const calls = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const keyOf = ({record: {topic, key}}: Item) => (key === null ? undefined : `${topic}\n${key}`);

  const take = (): Item[] => {
    const batch: Item[] = [];
    const kept: Item[] = [];
    let bytes = 0;
    let at = 0;
    for (; at < waiting.length && batch.length < batchMax; at += 1) {
      const item = waiting[at] as Item;
      const key = keyOf(item);
      if (key !== undefined && keysInFlight.has(key)) {
        kept.push(item);
        continue;
      }
      if (batch.length > 0 && bytes + item.bytes > batchBytes) {
        break;
      }
      batch.push(item);
      item.call.unsent -= 1;
      bytes += item.bytes;
    }
    waiting = [...kept, ...waiting.slice(at)];
    return batch;
  };

  const leave = ({bytes}: Item) => {
    load.records -= 1;
    load.bytes -= bytes;
  };

  const send = () => {
    timer = undefined;
    const batch = take();
    if (batch.length > 0) {
      run(batch);
      schedule();
    }
  };

  const schedule = () => {
    if (timer || load.inFlight >= inFlightMax || waiting.length === 0) {
      return;
    }
    if (lingerMs === 0 || closed || waiting.length >= batchMax || load.bytes >= batchBytes) {
      send();
    } else {
      timer = setTimeout(send, lingerMs);
    }
  };

  const run = (batch: readonly Item[]) => {
    const keys = new Set(batch.flatMap(item => keyOf(item) ?? []));
    for (const key of keys) {
      keysInFlight.add(key);
    }
    load.inFlight += 1;
    const end = (tell: (call: Call) => void) => {
      load.inFlight -= 1;
      for (const key of keys) {
        keysInFlight.delete(key);
      }
      for (const item of batch) {
        leave(item);
        tell(item.call);
      }
      schedule();
    };
    transmit(batch.map(({record}) => record)).then(
      () => end(call => call.done()),
      error => {
        const failure = unavailable(`Kafka did not take it: ${(error as Error).message}`, error);
        end(call => call.fail(failure));
      },
    );
  };

  const add = (items: readonly {record: Outgoing; bytes: number}[]) =>
    new Promise<void>((resolve, reject) => {
      let settled = false;
      const settle = (tell: () => void) => {
        if (settled) {
          return;
        }
        settled = true;
        clearTimeout(deadline);
        if (call.unsent > 0) {
          waiting.filter(item => item.call === call).forEach(leave);
          waiting = waiting.filter(item => item.call !== call);
        }
        tell();
      };
      const call: Call = {
        unsent: items.length,
        left: items.length,
        fail: error => settle(() => reject(error)),
        done() {
          call.left -= 1;
          if (call.left === 0) {
            settle(resolve);
          }
        },
      };
      const expire = () => call.fail(unavailable(`Kafka did not acknowledge within ${sendMs} ms`));
      // One more turn: in a process that lagged, the acknowledgement may be there and only not read yet.
      const deadline = setTimeout(() => setImmediate(expire), sendMs);
      for (const item of items) {
        waiting.push({...item, call});
        load.records += 1;
        load.bytes += item.bytes;
      }
    });

  return {
    /** Records of one call keep their order by key; they may travel in several requests. */
    send(records: readonly Outgoing[]): Promise<void> {
      if (records.length === 0) {
        return Promise.resolve();
      }
      if (closed) {
        return Promise.reject(unavailable('the producer is closed'));
      }
      const items = records.map(record => ({
        record,
        bytes: Buffer.byteLength(record.value) + (record.key?.length ?? 0) + 100,
      }));
      const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
      if (load.records + items.length > waitingMax || load.bytes + bytes > waitingBytes) {
        return Promise.reject(unavailable('too many events wait for Kafka'));
      }
      const sent = add(items);
      calls.add(sent);
      sent.catch(() => {}).finally(() => calls.delete(sent));
      schedule();
      return sent;
    },
    /** Records that are not acknowledged, those on their way included. */
    waiting: () => load.records,
    /** Sends what waits without lingering; ends by the deadline of what came last. */
    async close() {
      closed = true;
      clearTimeout(timer);
      timer = undefined;
      schedule();
      await Promise.allSettled(calls);
    },
  };
};

export type SendBuffer = ReturnType<typeof createSendBuffer>;
