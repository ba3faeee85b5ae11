/**
Publish: events appended to streams, in pipelines of a bounded size, within a bounded time.

In: publications. Out: nothing; when it resolves, every event is stored. When it rejects some may be: they come a second time
when they are published again, with the same id.

A stream that holds `lengthMax` takes no more: XADD's own bound would delete what a group has not read.
*/
import type {ChainableCommander, Redis} from 'ioredis';
import {redisFieldsOf} from '../../codec.ts';
import {SluiceError} from '../../errors.ts';
import {limits} from '../../limits.ts';
import {ready, within} from '../../redis.ts';
import type {Publication} from '../broker.ts';

type Append = Readonly<{stream: string; fields: (string | Buffer)[]; size: number}>;

export const createPublisher = ({
  client,
  streamOf,
  lengthMax,
  publishMs,
  lookMs = 100,
  now = () => performance.now(),
}: {
  client: Redis;
  /** Throws for a topic that nobody declared. */
  streamOf: (topic: string) => string;
  lengthMax: number;
  publishMs: number;
  /** For so long what others append is not seen. */
  lookMs?: number;
  now?: () => number;
}) => {
  /** As each stream was last seen, and what was appended here since. */
  const lengths = new Map<string, {length: number; seenAt: number}>();

  const appendOf = ({topic, json, barrier}: Publication): Append => {
    if (barrier) {
      throw new Error('expected no barrier: Redis Streams keep no order that one could wait in');
    }
    return {stream: streamOf(topic), fields: redisFieldsOf(json), size: json.length};
  };

  const checkLengths = async (streams: ReadonlySet<string>) => {
    for (const stream of streams) {
      let {length} = lengths.get(stream) ?? {length: lengthMax};
      if (length >= lengthMax) {
        length = await client.xlen(stream);
        lengths.set(stream, {length, seenAt: now()});
      }
      if (length >= lengthMax) {
        throw new SluiceError(
          'unavailable',
          `the stream ${stream} holds ${length} entries and takes no more than ${lengthMax}`,
        );
      }
    }
  };

  /** Far from its bound a stream is looked at now and then: for an event alone, that would be every second command. */
  const isUnsure = (stream: string) => {
    const {length, seenAt} = lengths.get(stream) ?? {length: lengthMax, seenAt: 0};
    return length > lengthMax / 2 || now() - seenAt > lookMs;
  };

  const append = async (
    appends: readonly Append[],
    commands: ChainableCommander,
    finish: (commands: ChainableCommander) => ChainableCommander = plain => plain,
  ) => {
    for (const {stream, fields} of appends) {
      commands.xadd(stream, '*', ...fields);
    }
    const unsure = [...streamsOf(appends)].filter(isUnsure);
    for (const stream of unsure) {
      commands.xlen(stream);
    }
    const replies = await resultsOf(finish(commands));
    for (const {stream} of appends) {
      const seen = lengths.get(stream);
      if (seen) {
        seen.length += 1;
      }
    }
    for (const [index, stream] of unsure.entries()) {
      lengths.set(stream, {length: Number(replies[appends.length + index]), seenAt: now()});
    }
  };

  const streamsOf = (appends: readonly Append[]) => new Set(appends.map(({stream}) => stream));

  return {
    async publish(publications: readonly Publication[]) {
      const appends = publications.map(appendOf);
      await within(publishMs, 'publish', async leftMs => {
        await ready(client, leftMs);
        for (const chunk of chunksOf(appends)) {
          await checkLengths(streamsOf(chunk));
          await append(chunk, client.pipeline());
        }
      });
    },
    /** Appends and acknowledges in one transaction: neither is there without the other. */
    async publishAndAcknowledge(
      publications: readonly Publication[],
      {stream, group, ids}: {stream: string; group: string; ids: readonly string[]},
    ) {
      const appends = publications.map(appendOf);
      await within(publishMs, 'publish', async leftMs => {
        await ready(client, leftMs);
        await checkLengths(streamsOf(appends));
        await append(appends, client.multi(), commands => commands.xack(stream, group, ...ids));
      });
    },
  };
};

export type Publisher = ReturnType<typeof createPublisher>;

const chunksOf = (appends: readonly Append[]): Append[][] => {
  const chunks: Append[][] = [];
  let size = 0;
  for (const append of appends) {
    const last = chunks.at(-1);
    if (!last || last.length === limits.batchEvents || size + append.size > limits.batchBytes) {
      chunks.push([append]);
      size = append.size;
    } else {
      last.push(append);
      size += append.size;
    }
  }
  return chunks;
};

/** Of a pipeline or transaction; throws when one of its commands failed. */
export const resultsOf = async (commands: ChainableCommander): Promise<unknown[]> => {
  const replies = await commands.exec();
  if (!replies) {
    throw new SluiceError('unavailable', 'the transaction was not executed');
  }
  return replies.map(([error, result]) => {
    if (error) {
      throw error;
    }
    return result;
  });
};
