/** The Kafka broker beyond the port's contract: deaths, rebalances, restarts, hung handlers, records that are no events. */
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {Kafka, logLevel, Partitioners, type PartitionMetadata} from 'kafkajs';
import {type Consumer, type DeadLetter, publicationOf} from '../../events/brokers/broker.ts';
import {createKafkaBroker} from '../../events/brokers/kafka/broker.ts';
import {eventually} from '../helpers/eventually.ts';
import {startKafka, testKafka} from '../helpers/kafka.ts';

const slow = {timeoutMs: 60_000, intervalMs: 50};
const times = {sessionMs: 6_000, heartbeatMs: 200, commitMs: 20};
/** For what must come once: a busy machine may be silent for longer than the shortest session. */
const steady = {...times, sessionMs: 30_000};

const event = (id: string) => ({
  specversion: '1.0' as const,
  id,
  source: '/test',
  type: 'test.done',
  data: {n: id},
});
const numbered = (count: number, from = 0) =>
  Array.from({length: count}, (_, index) => String(from + index));
const spread = (topic: string, ids: readonly string[]) =>
  ids.map(key => ({...publicationOf(topic, event(key)), key}));
const inOrder = (ids: readonly string[]) => [...new Set(ids)].sort((a, b) => Number(a) - Number(b));
const declared = {subscriptions: [{name: 'a', topic: 'a'}]};

type Options = Partial<Parameters<typeof createKafkaBroker>[0]>;

const openOn = (
  t: ExecutionContext,
  brokers: string[],
  own: (name: string) => string,
  options: Options = {},
) => {
  const letters: DeadLetter[] = [];
  const broker = createKafkaBroker({
    settings: {brokers, clientId: 'test'},
    topicOf: own,
    groupOf: own,
    partitions: 4,
    times,
    keepDeadLetters: async some => void letters.push(...some),
    onError: error => t.log(String(error)),
    ...options,
  });
  t.teardown(() => broker.close());
  return {...broker, letters};
};

const noting = (seen: string[], options: Partial<Consumer> = {}): Consumer => ({
  batchMax: 10,
  concurrency: 4,
  async onBatch(messages) {
    seen.push(...messages.map(message => message.event.id));
    return messages.map(() => ({kind: 'done'}));
  },
  ...options,
});

const drained = (broker: {pending(): Promise<ReadonlyMap<string, number>>}) =>
  eventually(async () => assert.equal((await broker.pending()).get('a'), 0), slow);

/** Keys of different partitions, of two. */
const keysOfTwo = (): [string, string] => {
  const partitionMetadata = [0, 1].map(partitionId => ({partitionId, leader: 1}));
  const partitionOf = (key: string) =>
    Partitioners.DefaultPartitioner()({
      topic: 'a',
      partitionMetadata: partitionMetadata as PartitionMetadata[],
      message: {key, value: ''},
    });
  const keys = numbered(100);
  return [0, 1].map(wanted => keys.find(key => partitionOf(key) === wanted)) as [string, string];
};

/** A consumer in a process of its own. */
const startChild = async (
  t: ExecutionContext,
  settings: {brokers: string[]; prefix: string; batchMax: number; hangAfter: number},
) => {
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('../helpers/kafka-child.ts', import.meta.url)),
      JSON.stringify({subscription: 'a', ...settings}),
    ],
    {stdio: ['ignore', 'pipe', 'pipe']},
  );
  const exit = once(child, 'exit');
  let errors = '';
  child.stderr.on('data', chunk => {
    errors += chunk;
  });
  const lines: string[] = [];
  createInterface({input: child.stdout}).on('line', line => lines.push(line));
  const kill = async () => {
    child.kill('SIGKILL');
    await exit;
  };
  t.teardown(kill);
  await eventually(() => assert.ok(lines.includes('ready'), errors), slow);
  return {
    kill,
    errors: () => errors,
    ids: (word: 'got' | 'done') =>
      lines.flatMap(line => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : [])),
  };
};

test('kafka: what a killed consumer had in hand is handled by another, and nothing is committed past it', async t => {
  const {brokers, prefix, topic} = testKafka(t);
  const broker = openOn(t, brokers, topic);
  await broker.declare(declared);
  const child = await startChild(t, {brokers, prefix, batchMax: 3, hangAfter: 40});
  await broker.publish(spread('a', numbered(200)));
  await eventually(() => {
    const done = new Set(child.ids('done'));
    assert.ok(done.size >= 40);
    assert.ok(child.ids('got').filter(id => !done.has(id)).length >= 6, 'it hangs');
  }, slow);
  await child.kill();
  const done = new Set(child.ids('done'));
  t.true(((await broker.pending()).get('a') ?? 0) >= 200 - done.size, 'no more than was handled');

  const seen: string[] = [];
  broker.subscribe('a', noting(seen));
  await drained(broker);
  t.deepEqual(inOrder([...done, ...seen]), numbered(200));
  for (const id of child.ids('got').filter(got => !done.has(got))) {
    t.true(seen.includes(id), `${id} was in hand`);
  }
});

test('kafka: a second consumer that comes and goes while handlers run makes no event skipped', async t => {
  const {brokers, topic} = testKafka(t);
  const [one, two] = [openOn(t, brokers, topic), openOn(t, brokers, topic)];
  await one.declare(declared);
  await two.declare(declared);
  const [first, second]: [string[], string[]] = [[], []];
  const slowly = (seen: string[]) =>
    noting(seen, {
      batchMax: 1,
      async onBatch(messages) {
        await new Promise(resolve => setTimeout(resolve, 10));
        seen.push(...messages.map(message => message.event.id));
        return messages.map(() => ({kind: 'done'}));
      },
    });
  one.subscribe('a', slowly(first));
  await one.publish(spread('a', numbered(1_000)));
  await eventually(() => assert.ok(first.length > 50), slow);
  two.subscribe('a', slowly(second));
  await eventually(() => assert.ok(second.length > 50), slow);
  await two.close();
  await drained(one);
  const seen = [...first, ...second];
  t.deepEqual(inOrder(seen), numbered(1_000));
  t.log(`${seen.length - 1_000} of 1,000 were handled twice`);
});

test('kafka: a handler that takes longer than the session keeps its partition', async t => {
  const {brokers, topic} = testKafka(t);
  const one = openOn(t, brokers, topic);
  await one.declare(declared);
  const began: string[] = [];
  const long = async (messages: readonly {event: {id: string}}[]) => {
    began.push(...messages.map(message => message.event.id));
    await new Promise(resolve => setTimeout(resolve, times.sessionMs + 2_000));
    return messages.map(() => ({kind: 'done'}) as const);
  };
  one.subscribe('a', {batchMax: 1, concurrency: 1, onBatch: long});
  await one.publish(spread('a', ['1']));
  await eventually(() => assert.equal(began.length, 1), slow);
  await drained(one);
  t.deepEqual(began, ['1']);
});

test('kafka: what is no event is a dead letter at once, its bytes kept, and holds up nothing', async t => {
  const {brokers, topic} = testKafka(t);
  const broker = openOn(t, brokers, topic, {partitions: 1, times: steady});
  await broker.declare(declared);
  const producer = new Kafka({brokers, logLevel: logLevel.NOTHING}).producer();
  await producer.connect();
  const value = Buffer.from([0, 255, 1]);
  await producer.send({
    topic: topic('a'),
    messages: [{key: 'k', value, headers: {'content-type': 'application/cloudevents+json'}}],
  });
  await producer.disconnect();
  const seen: string[] = [];
  broker.subscribe('a', noting(seen));
  await broker.publish(spread('a', ['good']));
  await drained(broker);
  t.deepEqual(seen, ['good']);
  t.is(broker.letters.length, 1);
  t.like(broker.letters[0], {topic: 'a', message: {subscription: 'a', attempt: 1}});
  t.like(JSON.parse(broker.letters[0]?.message.json ?? ''), {
    key: Buffer.from('k').toString('base64'),
    value: value.toString('base64'),
  });
});

test('kafka: a partition that waits for a retry takes no more than its window, and the others go on', async t => {
  const {brokers, topic} = testKafka(t);
  const broker = openOn(t, brokers, topic, {partitions: 2, windowMax: 10, times: steady});
  await broker.declare(declared);
  const seen: string[] = [];
  let released = false;
  broker.subscribe('a', {
    batchMax: 5,
    concurrency: 2,
    onBatch: async messages =>
      messages.map(({event: {id}}) => {
        if (id === 'stuck' && !released) {
          return {kind: 'retry', afterMs: 20, counted: false};
        }
        seen.push(id);
        return {kind: 'done'};
      }),
  });
  const same = (key: string, ids: readonly string[]) =>
    ids.map(id => ({...publicationOf('a', event(id)), key}));
  const [stuckKey, otherKey] = keysOfTwo();
  await broker.publish(same(stuckKey, ['stuck', ...numbered(100)]));
  await eventually(() => assert.equal(seen.length, 9), slow);
  await broker.publish(same(otherKey, numbered(100, 1_000)));
  await eventually(() => assert.ok(seen.length >= 109), slow);
  t.is(seen.length, 109);
  t.is((await broker.pending()).get('a'), 101);
  released = true;
  await drained(broker);
  t.is(new Set(seen).size, 201);
  t.is(seen.length, 201, 'nothing twice');
});

test('kafka: what was published before the group of a topic began is left out, and a second declaration moves nothing', async t => {
  const {brokers, topic} = testKafka(t);
  const broker = openOn(t, brokers, topic);
  await broker.declare({subscriptions: [], topics: ['a']});
  await broker.publish(spread('a', numbered(5)));
  await broker.declare(declared);
  t.is((await broker.pending()).get('a'), 0);
  await broker.publish(spread('a', numbered(3, 5)));
  const other = openOn(t, brokers, topic, {partitions: 9});
  await other.declare(declared);
  t.is((await other.pending()).get('a'), 3);
});

test('kafka: nothing that was published is lost when Kafka is killed and started again, twice', async t => {
  t.timeout(240_000);
  const kafka = await startKafka(t);
  const broker = openOn(t, kafka.brokers, name => name);
  await broker.declare(declared);
  const seen = new Set<string>();
  broker.subscribe('a', {
    batchMax: 20,
    concurrency: 2,
    async onBatch(messages) {
      await new Promise(resolve => setTimeout(resolve, 2));
      for (const {
        event: {id},
      } of messages) {
        seen.add(id);
      }
      return messages.map(() => ({kind: 'done'}));
    },
  });
  const kept: string[] = [];
  let refused = 0;
  let next = 0;
  let ended = false;
  const publishing = (async () => {
    while (!ended) {
      const ids = numbered(10, next);
      next += 10;
      await broker.publish(spread('a', ids)).then(
        () => kept.push(...ids),
        () => {
          refused += 1;
        },
      );
    }
  })();
  for (const round of [1, 2]) {
    const before = kept.length;
    await eventually(() => assert.ok(kept.length >= before + 300), slow);
    await kafka.kill();
    const refusals = refused;
    await eventually(() => assert.ok(refused > refusals, `round ${round}`), slow);
    await kafka.start();
  }
  const before = kept.length;
  await eventually(() => assert.ok(kept.length >= before + 300), slow);
  ended = true;
  await publishing;
  await eventually(
    () =>
      assert.deepEqual(
        kept.filter(id => !seen.has(id)),
        [],
      ),
    slow,
  );
  await drained(broker);
  t.true(kept.length > 900);
});

test('kafka: with Kafka gone publishing is refused in time, and closing ends', async t => {
  t.timeout(120_000);
  const kafka = await startKafka(t);
  const broker = openOn(t, kafka.brokers, name => name, {sendMs: 500});
  await broker.declare(declared);
  const seen: string[] = [];
  broker.subscribe('a', noting(seen));
  // The first makes the connections, which may take longer than it has.
  await eventually(() => broker.publish(spread('a', ['1'])), slow);
  await eventually(() => assert.ok(seen.length > 0), slow);
  await kafka.kill();
  await t.throwsAsync(broker.publish(spread('a', ['2'])), {name: 'SluiceError'});
  await broker.close();
});

test('kafka: with Kafka hung closing ends', async t => {
  t.timeout(120_000);
  const kafka = await startKafka(t);
  const broker = openOn(t, kafka.brokers, name => name, {sendMs: 500});
  await broker.declare(declared);
  const seen: string[] = [];
  broker.subscribe('a', noting(seen));
  // The first makes the connections, which may take longer than it has.
  await eventually(() => broker.publish(spread('a', ['1'])), slow);
  await eventually(() => assert.ok(seen.length > 0), slow);
  process.kill(kafka.pid(), 'SIGSTOP');
  await t.throwsAsync(broker.publish(spread('a', ['2'])), {message: /within 500 ms/});
  await broker.close();
});

test('kafka: Node warns of nothing that a consumer and a producer do', async t => {
  const {brokers, prefix, topic} = testKafka(t);
  const broker = openOn(t, brokers, topic);
  await broker.declare(declared);
  const child = await startChild(t, {brokers, prefix, batchMax: 1, hangAfter: 1_000});
  await broker.publish(spread('a', ['1']));
  await eventually(() => assert.deepEqual(child.ids('done'), ['1']), slow);
  t.is(child.errors(), '');
});
