/**
Redis Streams: our broker beside ioredis: XADD in a pipeline, one connection that waits in XREADGROUP, XACK of a batch.

The raw entry is one field with the event as JSON, not the CloudEvents binding, and nobody looks after what a dead consumer had.
*/
import {Redis} from 'ioredis';
import {createRedisBroker} from '../../../events/brokers/redis/broker.ts';
import {redisAt} from '../../../events/redis.ts';
import {type Contender, parsed, type Started, startOurs} from './contender.ts';
import {runSlots} from './slots.ts';

type Entry = readonly [id: string, fields: readonly string[]];

const empty = async (client: Redis, stream: string) => {
  await client.xtrim(stream, 'MAXLEN', 0);
};

const ours =
  (url: string) =>
  async (started: Started): Promise<Contender> => {
    const stream = `ours-${started.load.batch}`;
    const broker = await createRedisBroker({
      redis: redisAt(url),
      consumer: 'bench',
      streamOf: () => stream,
      keepDeadLetters: async () => {},
      onError: error => console.error(error),
    });
    const client = new Redis(url);
    const contender = await startOurs(broker, started);
    return {
      ...contender,
      clean: () => empty(client, stream),
      async close() {
        await contender.close();
        client.disconnect();
      },
    };
  };

const raw =
  (url: string) =>
  async ({load, gate, onEvent}: Started): Promise<Contender> => {
    const client = new Redis(url);
    const reader = new Redis(url);
    const [stream, group] = [`raw-${load.batch}`, 'raw'];
    await client.xgroup('CREATE', stream, group, '$', 'MKSTREAM');
    const slots = runSlots<Entry>({
      load,
      gate,
      async fetch(limit) {
        const reply = (await reader.xreadgroup(
          ...(['GROUP', group, 'bench', 'COUNT', limit, 'BLOCK', 1_000] as const),
          ...(['STREAMS', stream, '>'] as const),
        )) as [string, Entry[]][] | null;
        return reply?.[0]?.[1] ?? [];
      },
      async handle(entries) {
        for (const [, fields] of entries) {
          onEvent(parsed(fields[1] as string));
        }
        await client.xack(stream, group, ...entries.map(([id]) => id));
      },
    });
    return {
      async publish(events) {
        if (events.length === 1) {
          await client.xadd(stream, '*', 'event', JSON.stringify(events[0]));
          return;
        }
        const pipeline = client.pipeline();
        for (const event of events) {
          pipeline.xadd(stream, '*', 'event', JSON.stringify(event));
        }
        for (const [error] of (await pipeline.exec()) ?? []) {
          if (error) {
            throw error;
          }
        }
      },
      clean: () => empty(client, stream),
      async close() {
        slots.stop();
        client.disconnect();
        reader.disconnect();
      },
    };
  };

export const redisContenders = (url: string) => ({ours: ours(url), ioredis: raw(url)});
