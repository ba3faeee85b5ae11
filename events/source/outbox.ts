/**
Outbox source: sends what functions left in the outbox to where it goes on a cluster: to the Broker by HTTP, to a log by Kafka.

In: rows. Out: what was left. A Broker that is away holds up no log, because each has a relay of its own.
*/
import type pg from 'pg';
import {type KeepDeadLetters, type Publication, parseEvent} from '../brokers/broker.ts';
import {recordOf} from '../codec.ts';
import {type DeliveryPolicy, judge, sourcePolicy} from '../delivery/policy.ts';
import type {Post} from '../delivery/post.ts';
import {sendEvent, type Target, targetAt} from '../delivery/target.ts';
import type {Event} from '../event.ts';
import type {KafkaProducer} from '../kafka/producer.ts';
import type {KafkaSettings} from '../kafka/settings.ts';
import {type Left, type PublishRows, startRelay} from '../relay.ts';

/** Rows on their way to Brokers at once, all of a pass: so a pass, and its transaction, takes no longer than one delivery. */
const rowsAtOnce = 64;

/** What says that the event is wrong. Anything else (a token, a path, a redirect) may be ours to mend: the row stays. */
const blamesTheEvent = [400, 413, 415, 422];

/** Each row is delivered by itself; an in-memory Broker answers only when its subscribers have. */
export const publishToBrokers =
  ({
    targetOf,
    timeoutMs = 30_000,
  }: {
    /** In: `broker:<name>`. */
    targetOf: (destination: string) => Target;
    timeoutMs?: number;
  }): PublishRows =>
  async publications => {
    const left = new Map<number, Left>();
    const sendOne = async (index: number, {topic, json}: Publication) => {
      const event = parsedOrReason(json);
      if (typeof event === 'string') {
        left.set(index, {kind: 'refused', reason: event});
        return;
      }
      const answer = await sendEvent(targetOf(topic), event, {timeoutMs});
      const verdict = judge(answer, 1, sourcePolicy);
      if (verdict.kind === 'dead' && blamesTheEvent.includes(verdict.status ?? 0)) {
        const {reason, status} = verdict;
        left.set(index, {kind: 'refused', reason, ...(status === undefined ? {} : {status})});
      } else if (verdict.kind === 'retry' || verdict.kind === 'dead') {
        left.set(index, {kind: 'kept'});
      }
    };
    await Promise.all(publications.map((publication, index) => sendOne(index, publication)));
    return left;
  };

const parsedOrReason = (json: string): Event | string => {
  try {
    return parseEvent(json);
  } catch (error) {
    return (error as Error).message;
  }
};

/** All or nothing: a producer that fails leaves every row where it is. */
export const publishToLogs =
  (publish: (publications: readonly Publication[]) => Promise<void>): PublishRows =>
  async publications => {
    await publish(
      publications.map(one => ({...one, topic: one.topic.slice(one.topic.indexOf(':') + 1)})),
    );
    return new Map();
  };

/** The URL of another Broker of the same namespace: both kinds of Broker have it at `/<namespace>/<name>`. */
export const brokerUrl = (sink: string, destination: string): string => {
  const url = new URL(sink);
  const name = destination.slice('broker:'.length);
  url.pathname = name.includes('/')
    ? `/${name}`
    : url.pathname.replace(/[^/]*$/, encodeURIComponent(name));
  return url.href;
};

/** Until it is closed; a relay for the Brokers, and one for the logs where there is Kafka. */
export const startOutboxSource = async ({
  pool,
  sink,
  kafka,
  post,
  policy: {timeoutMs},
  keepDeadLetters,
  onError,
}: {
  /** As `sluice_system`. */
  pool: pg.Pool;
  /** The ingress of the Broker `default`. */
  sink: string;
  kafka: KafkaSettings | undefined;
  post: Post;
  policy: Pick<DeliveryPolicy, 'timeoutMs'>;
  keepDeadLetters: KeepDeadLetters;
  onError: (error: Error) => void;
}) => {
  const targetOf = (destination: string) => targetAt({url: brokerUrl(sink, destination), post});
  const common = {pool, keepDeadLetters, onError};
  const relays = [
    startRelay({
      ...common,
      publish: publishToBrokers({targetOf, timeoutMs}),
      destinations: ['broker:'],
      rowsMax: rowsAtOnce,
    }),
  ];
  let producer: KafkaProducer<'rows'> | undefined;
  if (kafka) {
    const {createKafkaProducer} = await import('../kafka/producer.ts');
    const made = createKafkaProducer({settings: kafka, buffers: {rows: {lingerMs: 0}}});
    producer = made;
    relays.push(
      startRelay({
        ...common,
        publish: publishToLogs(publications =>
          made.send(
            publications.map(({topic, json, key}) => ({topic, ...recordOf(json, key ?? null)})),
            'rows',
          ),
        ),
        destinations: ['log:'],
      }),
    );
  }
  const running = await Promise.all(relays);
  return {
    degraded: () => undefined,
    async close() {
      await Promise.all(running.map(relay => relay.close()));
      await producer?.close();
    },
  };
};
