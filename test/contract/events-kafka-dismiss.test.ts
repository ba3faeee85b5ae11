import assert from 'node:assert/strict';
import test from 'ava';
import {connectKafka} from '../../events/kafka/connect.ts';
import {dismissMembers} from '../../events/kafka/dismiss.ts';
import {eventually} from '../helpers/eventually.ts';
import {type TestKafka, testKafka} from '../helpers/kafka.ts';

/** Joins, and is cut off without having left: as a process that was killed is. */
const joinAndVanish = async ({brokers, topic}: TestKafka, clientId: string) => {
  const {kafka, cut} = await connectKafka({brokers, clientId});
  const consumer = kafka.consumer({
    groupId: topic('group'),
    retry: {restartOnFailure: async () => false},
  });
  const joined = Promise.withResolvers<void>();
  consumer.on('consumer.group_join', () => joined.resolve());
  consumer.on('consumer.crash', ({payload: {error}}) => joined.reject(error));
  joined.promise.catch(() => {});
  try {
    await consumer.connect();
    await consumer.subscribe({topic: topic('events')});
    await consumer.run({eachMessage: async () => {}});
    await joined.promise;
  } finally {
    cut();
  }
};

const membersOf = async ({brokers, topic}: TestKafka) => {
  const {kafka} = await connectKafka({brokers, clientId: 'watcher'});
  const admin = kafka.admin();
  await admin.connect();
  try {
    const {groups} = await admin.describeGroups([topic('group')]);
    return groups.flatMap(({members}) => members.map(({clientId}) => clientId)).sort();
  } finally {
    await admin.disconnect();
  }
};

test('members that are gone are taken out of their group by who has their name, and nobody else', async t => {
  t.timeout(120_000);
  const kafka = testKafka(t);
  const {brokers, topic} = kafka;
  await kafka.createTopic(topic('events'));
  const dismiss = (clientId: string) =>
    dismissMembers({
      connect: () => connectKafka({brokers, clientId: 'successor'}),
      groupId: topic('group'),
      clientId,
    });

  // The first group of a cluster has no coordinator for a while, and a new topic no leader that knows it.
  await eventually(() => joinAndVanish(kafka, 'one'), {timeoutMs: 40_000});
  await eventually(async () => assert.deepEqual(new Set(await membersOf(kafka)), new Set(['one'])));
  t.is(await dismiss('on'), 0);
  t.true((await dismiss('one')) >= 1);
  t.deepEqual(await membersOf(kafka), []);
  t.is(await dismiss('one'), 0);
});

test('what cannot be dismissed in time is an error', async t => {
  const connect = () => connectKafka({brokers: ['127.0.0.1:1'], clientId: 'one'});
  await t.throwsAsync(dismissMembers({connect, groupId: 'a', clientId: 'one', timeoutMs: 100}));
});
