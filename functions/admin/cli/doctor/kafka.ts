/** Doctor, Kafka: by KAFKA_BROKERS and its like. Whether it answers, whether the topic of usage is there and as it should be. */

import {readConfig} from '../../../../events/config.ts';
import {connectKafka, within} from '../../../../events/kafka/connect.ts';
import {kafkaReaders, kafkaSettings} from '../../../../events/kafka/settings.ts';
import {type Environment, type Finding, fail, ok, reasonOf, warn} from './finding.ts';

const check = 'Kafka';
const topicCheck = 'topic';
const partitionsExpected = 24;
const retentionMsMin = 7 * 86_400_000;
/** Of kafkajs, which is loaded late. */
const topicResource = 2;

export const checkKafka = async (
  environment: Environment,
  topic: string,
  timeoutMs: number,
): Promise<Finding[]> => {
  let cut = () => {};
  try {
    const settings = kafkaSettings(readConfig(environment, kafkaReaders), 'sluice-doctor');
    if (!settings) {
      return [];
    }
    const connection = await connectKafka(settings, {connectMs: timeoutMs, requestMs: timeoutMs});
    cut = connection.cut;
    const admin = connection.kafka.admin();
    await within(admin.connect(), timeoutMs * 2, 'connecting');
    const {brokers} = await within(
      admin.describeCluster(),
      timeoutMs * 2,
      'asking for the brokers',
    );
    return [
      ok(check, `${brokers.length} ${brokers.length === 1 ? 'broker' : 'brokers'}`),
      ...(await within(
        topicFindings(admin, topic),
        timeoutMs * 2,
        `asking for the topic ${topic}`,
      )),
    ];
  } catch (error) {
    return [
      fail(
        check,
        reasonOf(error),
        'is it running and reachable from here, and are KAFKA_BROKERS, KAFKA_USERNAME and KAFKA_TLS right?',
      ),
    ];
  } finally {
    cut();
  }
};

type Admin = ReturnType<Awaited<ReturnType<typeof connectKafka>>['kafka']['admin']>;

const topicFindings = async (admin: Admin, topic: string): Promise<Finding[]> => {
  if (!(await admin.listTopics()).includes(topic)) {
    return [
      fail(
        topicCheck,
        `there is no topic ${topic}`,
        `make it with ${partitionsExpected} partitions: kafka-topics.sh --create --topic ${topic} --partitions ${partitionsExpected} --replication-factor 3`,
      ),
    ];
  }
  const {topics} = await admin.fetchTopicMetadata({topics: [topic]});
  const partitions = topics[0]?.partitions ?? [];
  const replicas = Math.min(...partitions.map(one => one.replicas.length));
  const leaderless = partitions.filter(({leader}) => leader < 0).length;
  const behind = partitions.filter(one => one.isr.length < one.replicas.length).length;
  return [
    leaderless > 0
      ? fail(
          topicCheck,
          `${leaderless} of ${partitions.length} partitions of ${topic} have no leader`,
          'bring the brokers back that hold them',
        )
      : ok(topicCheck, `${topic} has ${partitions.length} partitions`),
    ...(replicas < 2
      ? [
          warn(
            'replication',
            `${topic} is on one broker only: with its disk, what was used and not yet debited is lost`,
            'replication factor 3 and min.insync.replicas 2, on three brokers',
          ),
        ]
      : behind > 0
        ? [
            warn(
              'replication',
              `${behind} partitions of ${topic} are not on all of their ${replicas} brokers`,
              'bring the missing broker back, or wait until it has caught up',
            ),
          ]
        : [ok('replication', `${replicas} copies`)]),
    ...(await retentionFinding(admin, topic)),
  ];
};

const retentionFinding = async (admin: Admin, topic: string): Promise<Finding[]> => {
  const {resources} = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [{type: topicResource, name: topic, configNames: ['retention.ms']}],
  });
  const kept = Number(resources[0]?.configEntries[0]?.configValue ?? -1);
  return kept === -1 || kept >= retentionMsMin
    ? []
    : [
        warn(
          'retention',
          `${topic} keeps events for ${Math.round(kept / 3_600_000)} h`,
          'retention.ms 604800000 at least: after a restore the log is read again from the backup on',
        ),
      ];
};
