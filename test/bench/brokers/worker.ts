/**
Worker: one contender in a process of its own, publisher and consumer, so that its CPU time is nobody else's.

In: WORKER, JSON: the row's store and load, the contender, how to reach the server; over the channel, runs. Out: of each run, how
many events were handled, in what time, with how much CPU. A run publishes for its time, then waits until all is handled.
*/
import {type Contender, createGate, type Load, type Started} from './contender.ts';
import {createEvents} from './event.ts';
import type {Store} from './rows.ts';

export type Task = Readonly<{store: Store; contender: string; load: Load; address: string}>;
export type Command = Readonly<{kind: 'run'; ms: number} | {kind: 'clean'}>;
export type RunResult = Readonly<{
  published: number;
  /** More than published: something was delivered twice. */
  handled: number;
  elapsedMs: number;
  /** User and system time of this process. */
  cpuMicros: number;
}>;

const {store, contender: name, load, address} = JSON.parse(process.env.WORKER ?? '{}') as Task;

type Start = (started: Started) => Promise<Contender>;

const contendersOf: Readonly<Record<Store, () => Promise<Readonly<Record<string, Start>>>>> = {
  memory: async () => (await import('./memory.ts')).memoryContenders,
  postgres: async () => (await import('./postgres.ts')).postgresContenders(address),
  redis: async () => (await import('./redis.ts')).redisContenders(address),
  'redis-always': async () => (await import('./redis.ts')).redisContenders(address),
  kafka: async () => (await import('./kafka.ts')).kafkaContenders(address.split(',')),
};

/** A run that is not done by then says so, instead of waiting for ever. */
const drainMaxMs = 60_000;

const count = {published: 0, handled: 0};
let tell = () => {};
const gate = createGate();
const start = (await contendersOf[store]())[name] as Start;
const contender = await start({
  load,
  gate,
  onEvent(event) {
    // What every handler looks at first.
    if (event.id !== '') {
      count.handled += 1;
    }
    tell();
  },
});

const run = async (ms: number): Promise<RunResult> => {
  const events = createEvents(`${process.pid}-${Date.now()}`);
  Object.assign(count, {published: 0, handled: 0});
  let room: PromiseWithResolvers<void> | undefined;
  let drained: (() => void) | undefined;
  const isAhead = () => count.published - count.handled + load.batch > load.aheadMax;
  tell = () => {
    if (room && !isAhead()) {
      room.resolve();
      room = undefined;
    }
    if (drained && count.handled >= count.published) {
      drained();
    }
  };
  const began = performance.now();
  const cpuBefore = process.cpuUsage();
  const publisher = async () => {
    while (performance.now() - began < ms) {
      if (isAhead()) {
        room ??= Promise.withResolvers();
        await room.promise;
        continue;
      }
      count.published += load.batch;
      await contender.publish(events(load.batch));
    }
  };
  await Promise.all(Array.from({length: load.publishers}, publisher));
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`${count.handled} of ${count.published} were handled`)),
      drainMaxMs,
    );
    drained = () => {
      clearTimeout(late);
      resolve();
    };
    tell();
  });
  const elapsedMs = performance.now() - began;
  const {user, system} = process.cpuUsage(cpuBefore);
  return {...count, elapsedMs, cpuMicros: user + system};
};

process.on('message', async (command: Command) => {
  if (command.kind === 'run') {
    gate.open();
    const result = await run(command.ms);
    gate.close();
    process.send?.(result);
  } else {
    await contender.clean();
    process.send?.({});
  }
});
process.once('disconnect', () => process.exit(0));
process.once('SIGTERM', async () => {
  await contender.close();
  process.exit(0);
});
process.send?.({listening: 0});
