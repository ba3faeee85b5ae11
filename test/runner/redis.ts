/**
Redis: a real redis-server on this machine, installed when it is missing.

Out: its URL, and how to stop, kill and start it. It keeps every write in its append-only file without fsync, as a killed
process needs it and a machine that loses power would not.
*/
import {randomBytes} from 'node:crypto';
import {Redis} from 'ioredis';
import {execute, findOnPath, type Installing, installPackage, NotInstalled} from './install.ts';
import {
  createServerProcess,
  freePort,
  inTemporaryFolder,
  type Server,
  startOnFreePort,
} from './server.ts';

export type RedisServer = Server & Readonly<{url: string; remove(): Promise<void>}>;

const advice =
  'install Redis 7.0 or later (Debian: `apt-get install redis-server`), with `redis-server` on the PATH: the tests need it';

const requireRedis = async (installing: Installing): Promise<string> => {
  if (findOnPath('redis-server') === undefined) {
    await installPackage('redis-server', advice, installing);
  }
  const program = findOnPath('redis-server');
  if (program === undefined) {
    throw new NotInstalled(advice);
  }
  const {output} = await execute(program, ['--version']);
  const version = /v=(\d+)\S*/.exec(output);
  if (!(Number(version?.[1]) >= 7)) {
    throw new NotInstalled(`${advice}; ${program} says: ${output.trim()}`);
  }
  return program;
};

/** `host`: an address of this machine where it listens too, and which its URL then names. */
export const startRedisServer = async (
  installing: Installing = {},
  {host = '127.0.0.1'}: {host?: string} = {},
): Promise<RedisServer> => {
  const command = await requireRedis(installing);
  return await inTemporaryFolder('redis', async (folder, removeFolder) => {
    const {server, url} = await startOnFreePort(async () => {
      const port = await freePort();
      const password = randomBytes(18).toString('hex');
      const url = `redis://:${password}@${host}:${port}`;
      const input = `
bind ${[...new Set(['127.0.0.1', host])].join(' ')}
port ${port}
requirepass ${password}
dir ${folder}
save ""
appendonly yes
appendfsync no
daemonize no
`;
      const check = () => ping(url);
      return {
        url,
        server: createServerProcess({name: 'Redis', command, args: ['-'], input, folder, check}),
      };
    });
    const remove = async () => {
      await server.kill();
      await removeFolder();
    };
    return {...server, url, remove};
  });
};

/** Answers no sooner than its data is loaded. */
const ping = async (url: string) => {
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
};
