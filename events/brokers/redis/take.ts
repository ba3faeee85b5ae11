/**
Take: which entries a consumer gets next, and which it has.

In: how many there is room for. Out: entries, in this order: what the consumer had in hand when its process ended, what
waited for a retry that is due, what others took and left lying, and only then what is new.

An entry that is taken stays pending in Redis until its outcome is stored. Its delivery count there is the attempt, so a death
of the process counts. What is kept here of a retry is its id and when it is due; the entry is read again then.
*/
import type {Redis} from 'ioredis';
import {claimedEntries, type Entry, newEntries} from './entries.ts';
import {resultsOf} from './publish.ts';
import * as scripts from './scripts.ts';

/** How many ids one script looks at: Redis does nothing else meanwhile. */
const scriptMax = 500;

export type Group = Readonly<{stream: string; group: string; consumer: string}>;

/** What is in hand, until when its handler is believed, and what waits for a retry. */
export const createHand = () => ({
  running: new Map<string, {until: number}>(),
  /** When each is due. */
  held: new Map<string, number>(),
});

export type Hand = ReturnType<typeof createHand>;

export const createTaking = ({
  client,
  group: {stream, group, consumer},
  hand: {running, held},
  expireMs,
  sweepMs,
  now,
}: {
  client: Redis;
  group: Group;
  hand: Hand;
  expireMs: number;
  sweepMs: number;
  now: () => number;
}) => {
  /** Where the list of our own pending entries is read on; undefined when all of it was. */
  let ownAfter: string | undefined = '-';
  let sweepAt = 0;
  /** The last read of new entries found as many as it asked for. */
  let flooded = false;
  /** To be acknowledged in a moment. */
  let settled: string[] = [];
  let acknowledging: Promise<void> | undefined;

  /** `owner` empty: whoever has them. */
  const claim = async (ids: readonly string[], owner: string, minIdleMs: number) => {
    const taken: Entry[] = [];
    for (const some of chunks(ids)) {
      const reply = await client.callBuffer(
        'EVAL',
        ...[scripts.claim, 1, stream, group, consumer, minIdleMs, owner, ...some],
      );
      taken.push(...claimedEntries(reply));
    }
    return taken;
  };

  const pendingRows = async (...args: (string | number)[]) =>
    (await client.call('XPENDING', stream, group, ...args)) as [string, string][];

  return {
    /** Something may be ours that we do not know of: an answer of Redis was lost. */
    lookAgain() {
      ownAfter = '-';
    },
    /** Whether own entries are left that may not have been taken yet. */
    recovering: () => ownAfter !== undefined,
    async own(limit: number): Promise<Entry[]> {
      while (ownAfter !== undefined) {
        const rows = await pendingRows(ownAfter, '+', limit, consumer);
        const last = rows.at(-1)?.[0];
        const ids = rows.map(([id]) => id).filter(id => !running.has(id) && !held.has(id));
        const taken = ids.length > 0 ? await claim(ids, consumer, 0) : [];
        ownAfter = rows.length === limit && last !== undefined ? `(${last}` : undefined;
        if (taken.length > 0) {
          return taken;
        }
      }
      return [];
    },
    async due(limit: number): Promise<Entry[]> {
      const ids = [...held]
        .filter(([, at]) => at <= now())
        .sort(([, a], [, b]) => a - b)
        .slice(0, limit)
        .map(([id]) => id);
      const taken = ids.length > 0 ? await claim(ids, consumer, 0) : [];
      for (const id of ids) {
        held.delete(id);
      }
      return taken;
    },
    async stale(limit: number): Promise<Entry[]> {
      if (now() < sweepAt) {
        return [];
      }
      const rows = await pendingRows('IDLE', Math.ceil(expireMs), '-', '+', limit + running.size);
      const ids = rows
        .map(([id]) => id)
        .filter(id => !held.has(id) && (running.get(id)?.until ?? 0) <= now())
        .slice(0, limit);
      // A full page: there may be more, and the next call looks at once.
      sweepAt = ids.length < limit ? now() + sweepMs : 0;
      return ids.length > 0 ? claim(ids, '', Math.ceil(expireMs)) : [];
    },
    /** None of them: with the newest id that the stream had before, because up to there is nothing new. */
    async fresh(limit: number): Promise<{entries: Entry[]; newest: string}> {
      const reading = [
        'XREADGROUP',
        ...['GROUP', group, consumer, 'COUNT', limit, 'STREAMS', stream, '>'],
      ] as const;
      if (flooded) {
        // Where there was more than enough the last time there will be something: the script would be run for nothing.
        const entries = entriesIn(await client.callBuffer(...reading));
        flooded = entries.length === limit;
        if (entries.length > 0) {
          return {entries, newest: ''};
        }
      }
      const commands = client
        .pipeline()
        .eval(scripts.newestId, 1, stream)
        .callBuffer(...reading);
      const [newest, reply] = await resultsOf(commands);
      const entries = entriesIn(reply);
      flooded = entries.length === limit;
      return {entries, newest: String(newest)};
    },
    /** Keeps from being claimed what is in hand. What another has claimed in spite of that is no longer ours. */
    async refresh() {
      const believed = [...running].filter(([, {until}]) => until > now()).map(([id]) => id);
      for (const ids of chunks([...believed, ...held.keys()])) {
        const own = new Set(
          (await client.eval(scripts.refresh, 1, stream, group, consumer, ...ids)) as string[],
        );
        for (const id of ids.filter(one => !own.has(one))) {
          held.delete(id);
          running.delete(id);
        }
      }
    },
    async setDeliveries(counts: readonly (readonly [id: string, count: number])[]) {
      for (const some of chunks(counts)) {
        await client.eval(scripts.setDeliveries, 1, stream, group, consumer, ...some.flat());
      }
    },
    /** Those that end together travel in one command. */
    async acknowledge(ids: readonly string[]) {
      if (ids.length === 0) {
        return;
      }
      settled.push(...ids);
      acknowledging ??= new Promise<void>((resolve, reject) => {
        // After all that is ready to run: of handlers that end together, each has been here by then.
        process.nextTick(() => {
          const all = settled;
          settled = [];
          acknowledging = undefined;
          client.xack(stream, group, ...all).then(() => resolve(), reject);
        });
      });
      await acknowledging;
    },
  };
};

export type Taking = ReturnType<typeof createTaking>;

const entriesIn = (reply: unknown): Entry[] =>
  reply ? newEntries((reply as [Buffer, unknown][])[0]?.[1]) : [];

const chunks = <Item>(items: readonly Item[]): Item[][] =>
  Array.from({length: Math.ceil(items.length / scriptMax)}, (_, index) =>
    items.slice(index * scriptMax, (index + 1) * scriptMax),
  );
