/**
The program `wait-for` against stores that answer, refuse, say nothing, are not there, or let nobody in. One at a time: a program that
has to share the machine with ten others that start may not get an answer within its deadline.
*/
import {createServer, type Socket} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {createTestDatabase} from '../helpers/database.ts';
import {runProgram} from '../helpers/programs.ts';
import {testRedis} from '../helpers/redis.ts';

/** Takes connections and says nothing. */
const startSilence = async (t: ExecutionContext): Promise<number> => {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(() => {
    for (const socket of sockets) {
      socket.destroy();
    }
    server.close();
  });
  return (server.address() as {port: number}).port;
};

/** Nobody listens there. A port that was free a moment ago may be another test's by now. */
const refusing = 9;

const secret = 'correct-horse';
const urls = {
  postgres: (port: number) => `postgres://sluice_owner:${secret}@127.0.0.1:${port}/sluice`,
  redis: (port: number) => `redis://:${secret}@127.0.0.1:${port}`,
};

test.serial('it ends well as soon as both answer', async t => {
  const {status, said} = await runProgram(t, 'wait-for', {
    DATABASE_URL: (await createTestDatabase(t)).url('owner'),
    REDIS_URL: testRedis(t).url,
  });
  t.is(said, 'wait-for: all stores answer\n');
  t.is(status, 0);
});

test.serial('without a Redis it asks PostgreSQL alone', async t => {
  const {status} = await runProgram(t, 'wait-for', {
    DATABASE_URL: (await createTestDatabase(t)).url('owner'),
  });
  t.is(status, 0);
});

const gaveUp = test.macro(
  async (
    t,
    broken: (t: ExecutionContext) => Promise<{DATABASE_URL?: string; REDIS_URL?: string}>,
    name: string,
    reason: RegExp,
  ) => {
    const {status, said} = await runProgram(t, 'wait-for', {
      DATABASE_URL: (await createTestDatabase(t)).url('owner'),
      REDIS_URL: testRedis(t).url,
      WAIT_SECONDS: '5',
      ...(await broken(t)),
    });
    t.is(status, 1, said);
    t.true(said.endsWith(`wait-for: gave up after 5 s: ${name}\n`), said);
    t.regex(said, reason);
    t.false(said.includes(secret), 'a password is in the log');
  },
);

test.serial(
  'a PostgreSQL that refuses is named',
  gaveUp,
  async () => ({DATABASE_URL: urls.postgres(refusing)}),
  'PostgreSQL',
  /PostgreSQL does not answer: .*ECONNREFUSED/,
);
test.serial(
  'a PostgreSQL that takes connections and says nothing is named',
  gaveUp,
  async t => ({DATABASE_URL: urls.postgres(await startSilence(t))}),
  'PostgreSQL',
  /PostgreSQL does not answer: no answer within \d+ ms/,
);
test.serial(
  'a PostgreSQL whose name nobody knows is named',
  gaveUp,
  async () => ({DATABASE_URL: `postgres://sluice_owner:${secret}@nobody.invalid/sluice`}),
  'PostgreSQL',
  /PostgreSQL does not answer: .*(ENOTFOUND|EAI_AGAIN)/,
);
test.serial(
  'a PostgreSQL that does not let the role in is named',
  gaveUp,
  async t => {
    const url = new URL((await createTestDatabase(t)).url('owner'));
    url.password = secret;
    return {DATABASE_URL: url.href};
  },
  'PostgreSQL',
  /password authentication failed/,
);
test.serial(
  'a Redis that refuses is named',
  gaveUp,
  async () => ({REDIS_URL: urls.redis(refusing)}),
  'Redis',
  /Redis does not answer: .*ECONNREFUSED/,
);
test.serial(
  'a Redis that takes connections and says nothing is named',
  gaveUp,
  async t => ({REDIS_URL: urls.redis(await startSilence(t))}),
  'Redis',
  /Redis does not answer: /,
);
test.serial(
  'a Redis that wants another password is named',
  gaveUp,
  async t => {
    const url = new URL(testRedis(t).url);
    url.password = secret;
    return {REDIS_URL: url.href};
  },
  'Redis',
  /Redis does not answer: /,
);
test.serial(
  'both are named when neither is there',
  gaveUp,
  async () => ({
    DATABASE_URL: urls.postgres(refusing),
    REDIS_URL: urls.redis(refusing),
  }),
  'PostgreSQL and Redis',
  /PostgreSQL/,
);

test.serial('with the URL of an administrator it is that one who must be let in', async t => {
  const database = await createTestDatabase(t);
  const {status} = await runProgram(t, 'wait-for', {
    DATABASE_URL: urls.postgres(refusing),
    ADMIN_DATABASE_URL: database.url('superuser'),
    WAIT_SECONDS: '60',
  });
  t.is(status, 0);
});

test.serial('a configuration that is none ends at once, with status 2', async t => {
  const {status, said} = await runProgram(t, 'wait-for', {DATABASE_URL: `mysql://a:${secret}@b/c`});
  t.is(status, 2);
  t.regex(said, /DATABASE_URL: expected a URL with postgres:/);
  t.false(said.includes(secret));
});
