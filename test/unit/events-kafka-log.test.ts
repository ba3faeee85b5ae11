/** The log that stands in for itself: nobody waits for a Kafka that is away, and it has its events again when it is back. */
import assert from 'node:assert/strict';
import test from 'ava';
import {ConfigError, readConfig} from '../../events/config.ts';
import type {Event} from '../../events/event.ts';
import {createCircuit, createFallbackLog, createKafkaLog} from '../../events/kafka/log.ts';
import {kafkaReaders, kafkaSettings} from '../../events/kafka/settings.ts';
import {createMemoryLog} from '../../events/outbox.ts';
import {eventually} from '../helpers/eventually.ts';

const make = (id: string, fields: Partial<Event> = {}): Event => ({
  specversion: '1.0',
  id,
  source: '/s',
  type: 't',
  ...fields,
});
const idsOf = (log: {events: Event[]}) => log.events.map(({id}) => id);

const start = () => {
  const [primary, fallback] = [createMemoryLog(), createMemoryLog()];
  const probe = {answers: false, asked: 0};
  const told: string[] = [];
  const circuit = createCircuit({
    probeMs: 1,
    async probe() {
      probe.asked += 1;
      if (!probe.answers) {
        throw new Error('still away');
      }
    },
    onOpen: ({message}) => told.push(message),
    onClosed: () => told.push('closed'),
  });
  const appended: string[] = [];
  const log = createFallbackLog({
    primary,
    fallback,
    circuit,
    onAppended: (where, events) => appended.push(`${where} ${events}`),
  });
  return {log, primary, fallback, probe, circuit, told, appended};
};

test('events go to the first log while it takes them', async t => {
  const {log, primary, fallback, appended} = start();
  await log.append([make('1'), make('2')]);
  t.deepEqual(idsOf(primary), ['1', '2']);
  t.deepEqual(idsOf(fallback), []);
  t.deepEqual(appended, ['primary 2']);
});

test('what it does not take goes to the second, and then everything at once, until it answers and one append has tried', async t => {
  const {log, primary, fallback, probe, circuit, told} = start();
  primary.state.fail = true;
  await log.append([make('1')]);
  t.true(circuit.isOpen());
  t.is(circuit.state(), 'away');
  primary.state.fail = false;
  await log.append([make('2')]);
  t.deepEqual(idsOf(fallback), ['1', '2'], 'the second was not tried');
  await eventually(() => assert.ok(probe.asked >= 2), {intervalMs: 1});
  await log.append([make('3')]);
  probe.answers = true;
  await eventually(() => assert.equal(circuit.state(), 'answering'), {intervalMs: 1});
  await eventually(async () => {
    await log.append([make('4')]);
    assert.equal(circuit.isOpen(), false);
  });
  await log.append([make('5')]);
  t.deepEqual(idsOf(primary), ['4', '5']);
  t.is(circuit.state(), 'there');
  t.deepEqual(told, ['the log is away', 'closed']);
});

test('only one append tries a log that answers again; one that fails opens the circuit anew', async t => {
  const {log, primary, fallback, probe, circuit, told} = start();
  primary.state.fail = true;
  await log.append([make('1')]);
  probe.answers = true;
  const asked = () => eventually(() => assert.ok(probe.asked > 0), {intervalMs: 1});
  await asked();
  probe.asked = 0;
  await Promise.all([log.append([make('2')]), log.append([make('3')])]);
  t.true(circuit.isOpen());
  t.deepEqual(idsOf(fallback).sort(), ['1', '2', '3']);
  await asked();
  t.deepEqual(told, ['the log is away'], 'told of once');
  circuit.close();
});

test('when neither takes them the append is broken', async t => {
  const {log, primary, fallback, circuit} = start();
  primary.state.fail = true;
  fallback.state.fail = true;
  await t.throwsAsync(log.append([make('1')]), {message: /neither/});
  await t.throwsAsync(log.append([make('2')]), {message: 'the log is away'});
  circuit.close();
});

test('a record of the log is structured JSON with the key that order is kept by', async t => {
  const sent: unknown[] = [];
  const log = createKafkaLog({
    producer: {
      async send(records, buffer) {
        sent.push(...records, buffer);
      },
      check: async () => {},
      waiting: () => 0,
      close: async () => {},
    },
    buffer: 'results',
    topic: 'usage',
  });
  await log.append([make('1', {orgid: 'o', partitionkey: 'p'}), make('2', {orgid: 'o'})]);
  t.like(sent, [
    {topic: 'usage', key: 'p', headers: {'content-type': 'application/cloudevents+json'}},
    {topic: 'usage', key: 'o'},
    'results',
  ]);
});

const read = (environment: Readonly<Record<string, string | undefined>>) =>
  kafkaSettings(readConfig(environment, kafkaReaders), 'gateway');

test('without brokers there is no Kafka', t => {
  t.is(read({}), undefined);
});

test('brokers, account and TLS come from the environment', t => {
  t.deepEqual(
    read({
      KAFKA_BROKERS: 'kafka-0.kafka:9092, [::1]:9093',
      KAFKA_USERNAME: 'sluice',
      KAFKA_PASSWORD: 'secret',
      KAFKA_TLS: 'true',
    }),
    {
      brokers: ['kafka-0.kafka:9092', '[::1]:9093'],
      clientId: 'gateway',
      tls: true,
      sasl: {mechanism: 'scram-sha-512', username: 'sluice', password: 'secret'},
    },
  );
});

test('what is half said or no address is refused, and the password is not repeated', t => {
  for (const environment of [
    {KAFKA_BROKERS: 'kafka'},
    {KAFKA_BROKERS: 'kafka:9092,'},
    {KAFKA_BROKERS: 'kafka:9092', KAFKA_USERNAME: 'sluice'},
    {KAFKA_BROKERS: 'kafka:9092', KAFKA_PASSWORD: 'a-secret'},
    {KAFKA_BROKERS: 'kafka:9092', KAFKA_MECHANISM: 'gssapi'},
  ]) {
    const error = t.throws(() => read(environment), {instanceOf: ConfigError});
    t.false(error?.message.includes('a-secret'));
  }
});
