/** The producer and the gateway's logs against a real Kafka that is killed, hung, started late, and answers again. */
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {Kafka, logLevel} from 'kafkajs';
import {pino} from 'pino';
import {readKafkaRecord} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {createKafkaProducer} from '../../events/kafka/producer.ts';
import type {Outgoing} from '../../events/kafka/send-buffer.ts';
import {createMetrics} from '../../events/metrics.ts';
import {createMemoryLog} from '../../events/outbox.ts';
import {createLogs} from '../../functions/gateway/log/logs.ts';
import {eventually} from '../helpers/eventually.ts';
import {startKafka, testKafka} from '../helpers/kafka.ts';

const slow = {timeoutMs: 60_000, intervalMs: 50};

/** What is in a topic, as it comes. */
const readAll = async (t: ExecutionContext, brokers: string[], topic: string) => {
  const consumer = new Kafka({brokers, logLevel: logLevel.NOTHING}).consumer({
    groupId: `${topic}-readers`,
    maxWaitTimeInMs: 50,
  });
  t.teardown(() => consumer.disconnect());
  const found: {partition: number; key: string | undefined; event: Event}[] = [];
  await consumer.connect();
  await consumer.subscribe({topic, fromBeginning: true});
  await consumer.run({
    eachMessage: async ({partition, message}) => {
      found.push({partition, key: message.key?.toString(), event: readKafkaRecord(message)});
    },
  });
  return found;
};

const make = (id: string, org = 'o'): Event => ({
  specversion: '1.0',
  id,
  source: '/test',
  type: 't',
  orgid: org,
});
const record = (topic: string, id: string, key: string): Outgoing => ({
  topic,
  key,
  value: JSON.stringify(make(id, key)),
  headers: {'content-type': 'application/cloudevents+json'},
});

test('kafka: gathered sends keep the order of each key, in both buffers at once', async t => {
  const {brokers, topic, createTopic} = testKafka(t);
  await createTopic(topic('a'), {partitions: 3});
  const producer = createKafkaProducer({
    settings: {brokers, clientId: 'test'},
    buffers: {intents: {lingerMs: 2, inFlightMax: 3}, results: {lingerMs: 25}},
    sendMs: 30_000,
  });
  t.teardown(() => producer.close());
  const sends: Promise<void>[] = [];
  for (let at = 0; at < 2_000; at += 1) {
    const buffer = at % 2 === 0 ? 'intents' : 'results';
    sends.push(producer.send([record(topic('a'), String(at), `${buffer} ${at % 10}`)], buffer));
  }
  await Promise.all(sends);
  const found = await readAll(t, brokers, topic('a'));
  await eventually(() => assert.equal(found.length, 2_000), slow);
  for (const [key, some] of Map.groupBy(found, one => one.key)) {
    const ids = some.map(({event}) => Number(event.id));
    t.deepEqual(
      ids,
      [...ids].sort((a, b) => a - b),
      `${key}`,
    );
    t.is(new Set(some.map(({partition}) => partition)).size, 1);
  }
});

test('kafka: a producer starts without Kafka, and sends when it is there, also after a kill', async t => {
  t.timeout(240_000);
  const kafka = await startKafka(t);
  await kafka.createTopic('a');
  await kafka.stop();
  const producer = createKafkaProducer({
    settings: {brokers: kafka.brokers, clientId: 'test'},
    buffers: {all: {lingerMs: 0}},
    sendMs: 1_000,
  });
  t.teardown(() => producer.close());
  const send = (id: string) => producer.send([record('a', id, 'k')], 'all');
  await t.throwsAsync(send('1'), {name: 'SluiceError'});
  await t.throwsAsync(producer.check('a'), {message: 'Kafka is away'});
  await kafka.start();
  await eventually(() => send('2'), slow);
  await t.notThrowsAsync(producer.check('a'));
  await kafka.kill();
  await t.throwsAsync(send('3'));
  await kafka.start();
  await eventually(() => send('4'), slow);
  const found = await readAll(t, kafka.brokers, 'a');
  await eventually(() => assert.ok(found.some(({event}) => event.id === '4')), slow);
  t.true(found.some(({event}) => event.id === '2'));
});

test('kafka: with Kafka hung one append waits its deadline, all go to the outbox, and Kafka has them again when it answers', async t => {
  t.timeout(240_000);
  const kafka = await startKafka(t);
  await kafka.createTopic('sluice.usage', {partitions: 2});
  const outbox = createMemoryLog();
  const metrics = createMetrics();
  const logs = createLogs({
    kafka: {brokers: kafka.brokers, clientId: 'gateway'},
    outbox,
    logger: pino({level: 'silent'}),
    metrics,
    sendMs: 2_000,
  });
  t.teardown(() => logs.close());
  await eventually(async () => {
    await logs.intents.append([make('warm')]);
    assert.match(metrics.text(), /sluice_log_events_total{log="kafka"} [1-9]/);
  }, slow);
  outbox.events.length = 0;

  process.kill(kafka.pid(), 'SIGSTOP');
  const began = performance.now();
  await logs.intents.append([make('hung')]);
  const waited = performance.now() - began;
  t.true(waited >= 1_990, `the deadline is 2 s, it waited ${waited} ms`);
  await Promise.all([
    logs.results.append([make('r')]),
    ...Array.from({length: 50}, (_, index) => logs.intents.append([make(`i${index}`)])),
  ]);
  t.is(outbox.events.length, 52);
  t.regex(metrics.text(), /sluice_kafka_away 1/);

  process.kill(kafka.pid(), 'SIGCONT');
  await eventually(async () => {
    await logs.results.append([make('again')]);
    assert.match(metrics.text(), /sluice_kafka_away 0/);
  }, slow);
  const count = outbox.events.length;
  await logs.intents.append([make('after')]);
  t.is(outbox.events.length, count, 'it went to Kafka');
  const found = await readAll(t, kafka.brokers, 'sluice.usage');
  await eventually(() => assert.ok(found.some(({event}) => event.id === 'after')), slow);
});
