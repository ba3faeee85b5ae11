/**
Publisher: the process that appends a run's events, as far as it is told to, and again until they are acknowledged.

In: what to publish, as JSON in its one argument; from its parent `{upTo}`. Out: to its parent, how far it has come. An append
that fails may have happened all the same: then the log has its events twice, with the same ids.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {type Publication, publicationOf} from '../../../events/brokers/broker.ts';
import {eventAt} from './events.ts';
import {declared, type Kind, openBroker, topic} from './log.ts';

export type PublisherTask = Readonly<{kind: Kind; address: string; events: number}>;
export type PublisherTells = Readonly<{published: number; repeated: number}>;

const chunkMax = 500;
const againMs = 200;

const {kind, address, events} = JSON.parse(process.argv[2] ?? '{}') as PublisherTask;
let allowed = 0;
let repeated = 0;
let wake = () => {};

// Without its parent there is nobody left to end it.
process.on('disconnect', () => process.exit());
process.on('message', ({upTo}: {upTo: number}) => {
  allowed = upTo;
  wake();
});

const broker = await openBroker(kind, address, {consumer: 'publisher'});
await broker.declare(declared);

const publish = async (publications: readonly Publication[]) => {
  for (;;) {
    try {
      await broker.publish(publications);
      return;
    } catch {
      repeated += publications.length;
      await wait(againMs);
    }
  }
};

process.send?.({listening: 0});
for (let published = 0; published < events; ) {
  while (allowed <= published) {
    await new Promise<void>(resolve => {
      wake = resolve;
    });
  }
  const count = Math.min(allowed - published, chunkMax);
  await publish(
    Array.from({length: count}, (_, index) => publicationOf(topic, eventAt(published + index))),
  );
  published += count;
  process.send?.({published, repeated} satisfies PublisherTells);
}
