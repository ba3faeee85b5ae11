/**
Redis: keys of a test's own in the Redis that `test/run.ts` has started, or a Redis of the test's own that it may kill.

In: the test. Out: a URL. What a test with keys of its own writes begins with its prefix, and is deleted when it ends.
*/
import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {Redis} from 'ioredis';
import {type RedisServer, startRedisServer} from '../runner/redis.ts';

export const environmentName = 'SLUICE_TEST_REDIS';

export type TestRedis = Readonly<{
  url: string;
  /** Of every key and stream: nobody else's begins so. */
  prefix: string;
}>;

const scanCount = 1_000;

export const testRedis = (t: Pick<ExecutionContext, 'teardown'>): TestRedis => {
  const text = process.env[environmentName];
  if (!text) {
    throw new Error(
      `${environmentName} is not set: run this test by \`npm run test:only -- FILE\`, which starts Redis`,
    );
  }
  const {url} = JSON.parse(text) as {url: string};
  const prefix = `test-${randomBytes(8).toString('hex')}:`;
  t.teardown(() => deleteKeys(url, prefix));
  return {url, prefix};
};

const deleteKeys = async (url: string, prefix: string) => {
  const client = new Redis(url);
  try {
    for await (const keys of client.scanStream({match: `${prefix}*`, count: scanCount})) {
      if (keys.length > 0) {
        await client.unlink(...keys);
      }
    }
  } finally {
    client.disconnect();
  }
};

/** Started; ended with the test. For tests that stop or kill it, or that need names of keys that are not theirs to choose. */
export const startRedis = async (t: Pick<ExecutionContext, 'teardown'>): Promise<RedisServer> => {
  const server = await startRedisServer();
  t.teardown(server.remove);
  return server;
};
