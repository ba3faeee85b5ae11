/**
Redis: connections that come back by themselves and never let anybody wait without a bound.

In: a URL (`redis:` or `rediss:`, with user, password and database where there are any). Out: connections, made when asked for.

A command fails at once while there is no connection, and when the connection breaks under it or says nothing for `replyMs`: whoever
sent it knows best whether to send it again. ioredis's own queue and resending are off, because what was given up would be sent
later all the same, and its memory has no bound.
*/
import type {Redis} from 'ioredis';
import {url} from './config.ts';
import {SluiceError} from './errors.ts';

/** Reads `REDIS_URL`. */
export const redisUrl = url({protocols: ['redis:', 'rediss:']});

/** `blockMs`: how long a command of this connection may have Redis wait before it answers. */
export type ConnectRedis = (options?: {blockMs?: number}) => Promise<Redis>;

export const redisAt =
  (
    address: string,
    {
      onError = () => {},
      connectMs = 5_000,
      replyMs = 5_000,
      reconnectMaxMs = 2_000,
      name,
    }: {
      /** Hears of each failed try to connect. */
      onError?: (error: Error) => void;
      connectMs?: number;
      replyMs?: number;
      reconnectMaxMs?: number;
      /** What CLIENT LIST calls it. */
      name?: string;
    } = {},
  ): ConnectRedis =>
  async ({blockMs = 0} = {}) => {
    const ioredis = await import('ioredis');
    const client = new ioredis.Redis(address, {
      lazyConnect: true,
      // Maps as lists, whatever the server speaks; and no HELLO, which old users may not say.
      protocol: 2,
      connectTimeout: connectMs,
      socketTimeout: blockMs + replyMs,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: times => Math.min(50 * 2 ** Math.min(times, 10), reconnectMaxMs),
      // A primary that became a replica: its address leads to the new one.
      reconnectOnError: error => error.message.startsWith('READONLY'),
      ...(name === undefined ? {} : {connectionName: name}),
    });
    client.on('error', onError);
    // A first try that fails is told to `onError`, and followed by others.
    client.connect().catch(() => {});
    return client;
  };

/** Resolves when commands can be sent. */
export const ready = (client: Redis, withinMs: number): Promise<void> => {
  if (client.status === 'ready') {
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    const settle = (error?: Error) => {
      clearTimeout(timer);
      client.off('ready', onReady);
      client.off('end', onEnd);
      error ? reject(error) : resolve();
    };
    const onReady = () => settle();
    const onEnd = () =>
      settle(new SluiceError('unavailable', 'the connection to Redis was closed'));
    const timer = setTimeout(
      () => settle(new SluiceError('unavailable', `no connection to Redis within ${withinMs} ms`)),
      withinMs,
    );
    client.once('ready', onReady);
    client.once('end', onEnd);
    if (client.status === 'end') {
      onEnd();
    }
  });
};

/** What Redis does in the end is not known when this rejects. */
export const within = async <Result>(
  ms: number,
  what: string,
  work: (leftMs: number) => Promise<Result>,
): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SluiceError('unavailable', `${what}: no answer of Redis within ${ms} ms`)),
      ms,
    );
  });
  try {
    return await Promise.race([work(ms), late]);
  } finally {
    clearTimeout(timer);
  }
};
