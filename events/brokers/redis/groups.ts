/**
Groups: the consumer groups of a stream: made, made again when Redis has lost them, counted, and what they let be trimmed.

In: a stream, a group. Out: what waits for it and what it has in hand. A group is never destroyed: it is what a subscription
has read.
*/
import type {Redis} from 'ioredis';
import {oldestOf} from './entries.ts';
import {countAfter} from './scripts.ts';

export type GroupState = Readonly<{
  name: string;
  /** Handed out and not acknowledged. */
  pending: number;
  /** Not handed out. Undefined: Redis does not know, because entries were deleted. */
  lag: number | undefined;
  lastDelivered: string;
}>;

/** A group that is there is left as it is. */
export const createGroup = async (
  client: Redis,
  {stream, group, from}: {stream: string; group: string; from: 'start' | 'now'},
) => {
  try {
    await client.xgroup('CREATE', stream, group, from === 'start' ? '0' : '$', 'MKSTREAM');
  } catch (error) {
    if (!(error as Error).message.startsWith('BUSYGROUP')) {
      throw error;
    }
  }
};

export const isMissingGroup = (error: unknown) =>
  error instanceof Error && /^NOGROUP|^ERR no such key/.test(error.message);

/** None where there is no stream. */
export const groupsOf = async (client: Redis, stream: string): Promise<GroupState[]> => {
  try {
    return ((await client.xinfo('GROUPS', stream)) as unknown[][]).map(stateOf);
  } catch (error) {
    if (isMissingGroup(error)) {
      return [];
    }
    throw error;
  }
};

const stateOf = (reply: unknown[]): GroupState => {
  const value = (name: string) => reply[reply.indexOf(name) + 1];
  const lag = value('lag');
  return {
    name: String(value('name')),
    pending: Number(value('pending')),
    lag: typeof lag === 'number' ? lag : undefined,
    lastDelivered: String(value('last-delivered-id')),
  };
};

/**
What Redis says of its lag is not believed: before a release later than 7.0 it forgets on a restart what was read since its
append-only file was last rewritten, and tells of entries that are long handled (redis/redis#10569, #12898). They are counted, in
pages; where there are more than `countMax`, Redis is asked after all, and the length of the stream is the most that it may say.
*/
export const lagOf = async (
  client: Redis,
  stream: string,
  {lag, lastDelivered}: GroupState,
  {pageMax = 1_000, countMax = 10_000} = {},
): Promise<number> => {
  let counted = 0;
  for (let after = lastDelivered; counted < countMax; ) {
    const page = (await client.eval(countAfter, 1, stream, after, pageMax)) as [number, string];
    counted += page[0];
    after = page[1];
    if (page[0] < pageMax) {
      return counted;
    }
  }
  const length = await client.xlen(stream);
  return Math.max(counted, Math.min(lag ?? length, length));
};

/** How long the oldest entry has been in hand since it was last handed out or kept fresh. */
export const oldestIdleMs = async (client: Redis, stream: string, group: string) => {
  const rows = (await client.xpending(stream, group, '-', '+', 1)) as [string, string, number][];
  return rows[0]?.[2] ?? 0;
};

/**
Removes what no group needs: older than all that is pending, and handed out to each. What moves meanwhile only moves on, so
several may do this at once. A stream without a group is left alone: nobody has said what of it is still needed.
*/
export const trimStream = async (client: Redis, stream: string) => {
  const groups = await groupsOf(client, stream);
  const needed = await Promise.all(
    groups.map(async ({name, pending, lastDelivered}) => {
      if (pending === 0) {
        return lastDelivered;
      }
      const [, oldest] = (await client.xpending(stream, name)) as [number, string | null];
      return oldest ?? lastDelivered;
    }),
  );
  const oldest = oldestOf(needed);
  if (oldest !== undefined && oldest !== '0-0') {
    await client.xtrim(stream, 'MINID', '~', oldest);
  }
};
