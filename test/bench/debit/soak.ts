/**
Soak: both functions and their sources over millions of events, and how much memory each process keeps.

In: servers, how many events, how many a second at most. Out: resident memory of each process as it went. Events are sent only as
far as both functions have kept up, and what both have read is deleted from Kafka, so that nothing grows but the tables. Of these
the oldest rows are not deleted: the indexes grow as they do in a deployment.
*/
import {readFileSync} from 'node:fs';
import {setTimeout as wait} from 'node:timers/promises';
import type {Event} from '../../../events/event.ts';
import {type Chain, startChain} from './chain.ts';
import type {Servers} from './servers.ts';
import type {Topic} from './topics.ts';
import {type Skew, trafficOf} from './traffic.ts';
import type {FunctionName} from './worker.ts';

export type SoakSample = Readonly<{
  events: number;
  seconds: number;
  /** MiB, by process. */
  residentMib: Readonly<Record<string, number>>;
}>;

const functions: readonly FunctionName[] = ['budget', 'usage'];
const perSend = 500;
const aheadMax = 40_000;
const sampleMs = 5_000;
const trimMs = 15_000;
const skew: Skew = {hotShare: 0.2, inFlight: 2_000};
const mib = 1024 * 1024;

const residentMibOf = (pid: number) => {
  const [, pages = '0'] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ');
  return (Number(pages) * 4_096) / mib;
};

export const soak = async (
  {databases, kafka, topics, log, nextName}: Servers,
  {
    events: wanted,
    rate,
    onSample,
  }: {events: number; rate: number; onSample: (sample: SoakSample) => void},
): Promise<SoakSample[]> => {
  const database = await databases.create(nextName());
  const topic = await topics.create(`bench.soak.${Date.now()}`);
  const chains = new Map<FunctionName, Chain>();
  const samples: SoakSample[] = [];
  const began = performance.now();
  try {
    for (const of of functions) {
      const options = {
        of,
        topic: topic.name,
        brokers: kafka.brokers,
        databaseUrl: database.systemUrl,
        log,
      };
      chains.set(of, await startChain(options));
    }
    const committed = async () =>
      2 * Math.min(...(await Promise.all([...chains.values()].map(chain => chain.committed()))));
    const sample = (events: number) => {
      const residentMib = Object.fromEntries(
        [...chains].flatMap(([of, chain]) => [
          [of, residentMibOf(chain.function.pid)],
          [`${of} source`, residentMibOf(chain.source.pid)],
        ]),
      );
      const taken = {events, seconds: (performance.now() - began) / 1_000, residentMib};
      samples.push(taken);
      onSample(taken);
    };
    await drive({
      events: trafficOf(Math.ceil(wanted / 2), skew),
      wanted,
      rate,
      send: topic.send,
      committed,
      sample,
      trim: () => topic.trim(functions),
    });
    return samples;
  } finally {
    await Promise.all([...chains.values()].map(chain => chain.stop()));
    await topic.remove();
    await database.drop();
  }
};

/** Not by `take`, which ends the generator with it. */
const next = (events: Iterator<Event>, count: number): Event[] =>
  Array.from({length: count}, () => events.next())
    .filter(({done}) => !done)
    .map(({value}) => value);

type Driving = Readonly<{
  events: ReturnType<typeof trafficOf>;
  wanted: number;
  rate: number;
  send: Topic['send'];
  committed: () => Promise<number>;
  sample: (events: number) => void;
  trim: () => Promise<void>;
}>;

const drive = async ({events, wanted, rate, send, committed, sample, trim}: Driving) => {
  const began = performance.now();
  let [sent, done, sampledAt, trimmedAt] = [0, 0, 0, 0];
  while (done < wanted) {
    const passed = performance.now() - began;
    if (sent < Math.min((passed * rate) / 1_000, done + aheadMax, wanted)) {
      const some = next(events, Math.min(perSend, wanted - sent));
      await send(some);
      sent += some.length;
    } else {
      await wait(10);
    }
    if (passed - sampledAt > sampleMs || sent === wanted) {
      sampledAt = passed;
      done = await committed();
      sample(done);
      await wait(sent === wanted ? 500 : 0);
    }
    if (passed - trimmedAt > trimMs) {
      trimmedAt = passed;
      await trim();
    }
  }
};
