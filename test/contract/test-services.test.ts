import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync} from 'node:fs';
import {mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile} from 'node:fs/promises';
import {connect} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {Redis} from 'ioredis';
import {type Admin, Kafka, logLevel} from 'kafkajs';
import {eventually} from '../helpers/eventually.ts';
import {startKafka, testKafka} from '../helpers/kafka.ts';
import {startRedis, testRedis} from '../helpers/redis.ts';
import {downloadJars, makeOnce, NotInstalled} from '../runner/install.ts';
import {findNeeds} from '../runner/needs.ts';
import {createServerProcess} from '../runner/server.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const slowMs = 180_000;

const temporaryFolder = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-services-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  return folder;
};

/** With the teardown in the test's own hands. */
const teardowns = () => {
  const works: (() => unknown)[] = [];
  return {
    teardown: (work: () => unknown) => {
      works.push(work);
    },
    run: async () => {
      for (const work of works) {
        await work();
      }
    },
  };
};

const withRedis = async <Result>(url: string, work: (client: Redis) => Promise<Result>) => {
  const client = new Redis(url);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
};

const connectTo = (brokers: string[]) => new Kafka({brokers, logLevel: logLevel.NOTHING});

const withAdmin = async <Result>(brokers: string[], work: (admin: Admin) => Promise<Result>) => {
  const admin = connectTo(brokers).admin();
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect();
  }
};

const produce = async (brokers: string[], topic: string, values: readonly string[]) => {
  const producer = connectTo(brokers).producer();
  await producer.connect();
  await producer.send({topic, messages: values.map(value => ({key: 'k', value}))});
  await producer.disconnect();
};

const consume = async (brokers: string[], topic: string, groupId: string, count: number) => {
  const consumer = connectTo(brokers).consumer({groupId});
  const values: string[] = [];
  await consumer.connect();
  try {
    await consumer.subscribe({topic, fromBeginning: true});
    await consumer.run({
      eachMessage: async ({message}) => {
        values.push(String(message.value));
      },
    });
    await eventually(() => assert.equal(values.length, count), {timeoutMs: 60_000});
  } finally {
    await consumer.disconnect();
  }
  return values;
};

const isRefused = (port: number) =>
  new Promise<boolean>(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(false);
    });
    socket.on('error', () => resolve(true));
  });

test('the Redis of the run is 7.0 or later and wants a password', async t => {
  const {url} = testRedis(t);
  const info = await withRedis(url, client => client.info('server'));
  t.true(Number(/redis_version:(\d+)/.exec(info)?.[1]) >= 7);
  const open = new URL(url);
  open.password = '';
  const client = new Redis(open.href, {enableReadyCheck: false});
  client.on('error', () => {});
  t.teardown(() => client.disconnect());
  await t.throwsAsync(client.get('a'), {message: /NOAUTH/});
});

test('the keys of a test are deleted when it ends, and nothing of another test', async t => {
  const ending = teardowns();
  const mine = testRedis(ending);
  const others = testRedis(t);
  await withRedis(mine.url, async client => {
    await client.xadd(`${mine.prefix}stream`, '*', 'a', '1');
    await client.set(`${mine.prefix}key`, '1');
    await client.set(`${others.prefix}key`, '1');
    await ending.run();
    t.deepEqual(await client.keys(`${mine.prefix}*`), []);
    t.is(await client.get(`${others.prefix}key`), '1');
  });
});

test('a test’s own Redis keeps what it acknowledged over kill -9 and over a stop', async t => {
  const redis = await startRedis(t);
  await withRedis(redis.url, client => client.xadd('stream', '*', 'a', '1'));
  const killed = redis.pid();
  await redis.kill();
  t.throws(redis.pid, {message: /does not run/});
  await redis.start();
  t.not(redis.pid(), killed);
  await withRedis(redis.url, client => client.xadd('stream', '*', 'a', '2'));
  await redis.stop();
  await redis.start();
  const entries = await withRedis(redis.url, client => client.xrange('stream', '-', '+'));
  t.deepEqual(
    entries.map(([, fields]) => fields),
    [
      ['a', '1'],
      ['a', '2'],
    ],
  );
});

test('whoever starts a server and is killed leaves neither server nor data', async t => {
  const source = `
    import {startRedisServer} from ${JSON.stringify(join(root, 'test/runner/redis.ts'))};
    console.log((await startRedisServer()).url);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => owner.kill('SIGKILL'));
  const [url] = await once(createInterface({input: owner.stdout}), 'line');
  const answer = await withRedis(url, client => client.config('GET', 'dir'));
  const folder = (answer as string[])[1] as string;
  t.true(existsSync(folder));
  owner.kill('SIGKILL');
  await eventually(async () => {
    assert.equal(await isRefused(Number(new URL(url).port)), true);
    assert.equal(existsSync(folder), false);
  });
  t.pass();
});

test('the broker of the run is Kafka 4.1, and makes no topic that nobody made', async t => {
  t.timeout(slowMs);
  const kafka = testKafka(t);
  await withAdmin(kafka.brokers, async admin => {
    const {brokers, controller} = await admin.describeCluster();
    t.is(brokers.length, 1);
    t.is(controller, 1);
  });
  const producer = connectTo(kafka.brokers).producer({
    allowAutoTopicCreation: true,
    retry: {retries: 0},
  });
  await producer.connect();
  t.teardown(() => producer.disconnect());
  await t.throwsAsync(producer.send({topic: kafka.topic('none'), messages: [{value: 'a'}]}), {
    message: /topic-partition/,
  });
});

test('kafkajs produces to it and consumes from it; the topics of a test are deleted when it ends', async t => {
  t.timeout(slowMs);
  const ending = teardowns();
  const kafka = testKafka(ending);
  const topic = kafka.topic('events');
  await kafka.createTopic(topic, {partitions: 3});
  await produce(kafka.brokers, topic, ['one', 'two']);
  t.deepEqual(await consume(kafka.brokers, topic, `${kafka.prefix}group`, 2), ['one', 'two']);
  await withAdmin(kafka.brokers, async admin => {
    t.is((await admin.fetchTopicMetadata({topics: [topic]})).topics[0]?.partitions.length, 3);
    await ending.run();
    await eventually(async () => assert.ok(!(await admin.listTopics()).includes(topic)));
  });
});

test('a test’s own Kafka keeps what it acknowledged, and what was committed, over kill -9 and over a stop', async t => {
  t.timeout(slowMs);
  const kafka = await startKafka(t);
  const {brokers} = kafka;
  await kafka.createTopic('events');
  await produce(brokers, 'events', ['one']);
  t.deepEqual(await consume(brokers, 'events', 'first', 1), ['one']);
  await kafka.kill();
  await kafka.start();
  await produce(brokers, 'events', ['two']);
  await kafka.stop();
  await kafka.start();
  await produce(brokers, 'events', ['three']);
  t.deepEqual(await consume(brokers, 'events', 'first', 2), ['two', 'three']);
  t.deepEqual(await consume(brokers, 'events', 'second', 3), ['one', 'two', 'three']);
});

test('a server that cannot start says why', async t => {
  const folder = await temporaryFolder(t);
  const server = createServerProcess({
    name: 'Echo',
    command: '/bin/sh',
    args: ['-c', 'echo no room >&2; exit 3'],
    folder,
    check: async () => {
      throw new Error('not ready');
    },
  });
  await t.throwsAsync(server.start(), {message: /^Echo ended with 3\nno room$/});
});

test('a folder is made once, whole or not at all', async t => {
  const folder = join(await temporaryFolder(t), 'made');
  await t.throwsAsync(
    makeOnce(folder, async draft => {
      await writeFile(join(draft, 'half'), '');
      throw new Error('broken off');
    }),
    {message: 'broken off'},
  );
  t.deepEqual(await readdir(join(folder, '..')), []);
  const make = (name: string) => () =>
    makeOnce(folder, async draft => writeFile(join(draft, 'name'), name));
  await Promise.all([make('a')(), make('b')()]);
  const first = await readFile(join(folder, 'name'), 'utf8');
  await make('c')();
  t.is(await readFile(join(folder, 'name'), 'utf8'), first);
  t.deepEqual(await readdir(join(folder, '..')), ['made']);
});

test('a draft that a killed run left is removed, one that is being made is not', async t => {
  const parent = await temporaryFolder(t);
  const old = join(parent, 'made.draft-old');
  const fresh = join(parent, 'made.draft-new');
  await mkdir(old);
  await mkdir(fresh);
  const longAgo = new Date(Date.now() - 2 * 60 * 60_000);
  await utimes(old, longAgo, longAgo);
  await makeOnce(join(parent, 'made'), async () => {});
  t.deepEqual((await readdir(parent)).sort(), ['made', 'made.draft-new']);
});

test('what cannot be installed is named', async t => {
  const folder = await temporaryFolder(t);
  const pom = join(folder, 'pom.xml');
  await writeFile(pom, '<artifactId>kafka_2.13</artifactId>');
  await t.throwsAsync(downloadJars(pom, join(folder, 'jars'), {}), {
    instanceOf: NotInstalled,
    message: /^Maven could not download what .*pom\.xml asks for/,
  });
});

const needs = test.macro<[readonly string[], readonly string[]]>({
  exec: async (t, args, expected) => {
    const folder = await temporaryFolder(t);
    const files = {
      'test/helpers/redis.ts': '',
      'test/helpers/database.ts': '',
      'test/helpers/world.ts': `import {a} from './database.ts';`,
      'test/unit/rule.test.ts': `import {rule} from '../../events/rule.ts';`,
      'test/contract/stream.test.ts': `import {testRedis} from '../helpers/redis.ts';`,
      'test/contract/world.test.ts': `import {world} from '../helpers/world.ts';`,
    };
    for (const [name, source] of Object.entries(files)) {
      await mkdir(join(folder, name, '..'), {recursive: true});
      await writeFile(join(folder, name), source);
    }
    t.deepEqual(await findNeeds(folder, args), expected);
  },
  title: (_, args, expected) =>
    `a run of ${args.join(' ') || 'everything'} needs ${expected.join(' and ') || 'no service'}`,
});

test(needs, [], ['database', 'redis', 'kafka']);
test(needs, ['--match=*x*'], ['database', 'redis', 'kafka']);
test(needs, ['test/**/*.test.ts'], ['database', 'redis', 'kafka']);
test(needs, ['test/unit/rule.test.ts'], []);
test(needs, ['test/unit'], []);
test(needs, ['test/contract/stream.test.ts:12'], ['redis']);
test(needs, ['test/contract/world.test.ts', '--match=*x*'], ['database']);
test(needs, ['test/contract', 'test/unit'], ['database', 'redis']);
