/**
Kafka child: a consumer in a process of its own, so that a test can kill it.

In: JSON as its argument: brokers, prefix, subscription, batchMax, and how many events it handles before it hangs. Out: a line of
standard output for each event that it begins (`got ID`) and that it has handled (`done ID`).
*/
import {createKafkaBroker} from '../../events/brokers/kafka/broker.ts';

const {brokers, prefix, subscription, batchMax, hangAfter} = JSON.parse(
  process.argv[2] ?? '{}',
) as {
  brokers: string[];
  prefix: string;
  subscription: string;
  batchMax: number;
  hangAfter: number;
};
const own = (name: string) => prefix + name;
const broker = createKafkaBroker({
  settings: {brokers, clientId: 'child'},
  topicOf: own,
  groupOf: own,
  times: {sessionMs: 6_000, heartbeatMs: 200, commitMs: 20},
  keepDeadLetters: async () => {},
});
let handled = 0;
await broker.declare({subscriptions: [{name: subscription, topic: subscription}]});
broker.subscribe(subscription, {
  batchMax,
  concurrency: 2,
  async onBatch(messages) {
    for (const {event} of messages) {
      console.log(`got ${event.id}`);
    }
    if (handled >= hangAfter) {
      await new Promise(() => {});
    }
    await new Promise(resolve => setTimeout(resolve, 5));
    handled += messages.length;
    for (const {event} of messages) {
      console.log(`done ${event.id}`);
    }
    return messages.map(() => ({kind: 'done'}));
  },
});
console.log('ready');
