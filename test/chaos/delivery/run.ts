/**
Run: events through one broker to a sink, while everybody on their way is killed, and then a quiet phase until nothing waits.

In: which broker, how much, how cruel. Out: figures, for `judge`. The events are published over the whole time of the killing, so
that there is always something on its way to be lost; the last twentieth only when all that is asked has been done.
*/
import {randomBytes} from 'node:crypto';
import {setTimeout as wait} from 'node:timers/promises';
import {createTestDatabase} from '../../helpers/database.ts';
import {freePort} from '../../runner/server.ts';
import {type KeptProcess, keepProcess} from '../process.ts';
import type {Range} from '../random.ts';
import {type Books, createTables, readBooks} from './effects.ts';
import {declared, group, type Kind, type Log, openBroker, startLog} from './log.ts';
import {planOf} from './plan.ts';
import type {PublisherTask, PublisherTells} from './publisher.ts';

export type Break = 'nothing' | 'no-once' | 'ack-first';

export type RunOptions = Readonly<{
  kind: Kind;
  events: number;
  /** Of a delivery; 1: each event alone. */
  batch: number;
  seed: number;
  /** At least so many; more while more than a twentieth of the events waits. */
  kills: number;
  restarts: number;
  everyMs: Range;
  sources?: number;
  /** Of the sink, on purpose: for proof that a run can fail. */
  break?: Break;
  /** For all of it; a run that is not done by then is judged as it stands. */
  limitMs: number;
  say?: (line: string) => void;
}>;

export type Figures = Readonly<{
  kind: Kind;
  batch: number;
  seed: number;
  events: number;
  published: number;
  /** Appended again, because the first time was not acknowledged. */
  repeated: number;
  /** What the log was given. */
  entries: number;
  books: Books;
  kills: Readonly<Record<string, number>>;
  /** The sink's own ends between commit and answer. */
  unanswered: number;
  restarts: number;
  /** Ends that nobody asked for: a start while the broker was away. */
  otherEnds: readonly string[];
  waiting: number;
  seconds: number;
  asked: Readonly<{kills: number; restarts: number}>;
  /** The end of what each process wrote. */
  output: Readonly<Record<string, string>>;
}>;

type Teardown = {teardown: (end: () => unknown) => void};
type World = Readonly<{
  log: Log;
  publisher: KeptProcess;
  victims: readonly KeptProcess[];
  progress: {published: number; repeated: number};
  pending(): Promise<number>;
  books(): Promise<Books>;
}>;

const program = (name: string) => new URL(name, import.meta.url);
const lastShare = 0.05;
const paceMs = 100;
/** Beside the wait before it: an end and a start. */
const actMs = 1_000;

const startWorld = async (options: RunOptions, t: Teardown): Promise<World> => {
  const {kind, events, batch, sources = 3} = options;
  const database = await createTestDatabase(t);
  await createTables(database.pool('owner'));
  const log = await startLog(kind);
  t.teardown(() => log.stop());
  const watcher = await openBroker(kind, log.address, {consumer: 'watcher'});
  t.teardown(() => watcher.close());
  await watcher.declare(declared);
  const keep = (made: KeptProcess) => {
    t.teardown(() => made.stop());
    return made;
  };
  const token = randomBytes(18).toString('hex');
  const port = await freePort();
  const shared = {DATABASE_URL: database.url('system'), LOG_LEVEL: 'warn'};
  const sink = keep(
    keepProcess({
      name: 'sink',
      program: program('sink.ts'),
      environment: {
        ...shared,
        PORT: String(port),
        SINK_TOKEN: token,
        SINK_BREAK: options.break ?? 'nothing',
      },
    }),
  );
  const readers = Array.from({length: sources}, (_, index) => {
    const name = `source-${index}`;
    return keep(
      keepProcess({
        name,
        program: program('../../../events/source/main.ts'),
        environment: {
          ...shared,
          ...log.sourceEnvironment(name),
          PORT: '0',
          K_SINK: `http://127.0.0.1:${port}/`,
          SOURCE_TOKEN: token,
          SOURCE_BATCH_MAX: String(batch),
          SOURCE_BACKOFF_MAX_MS: '1000',
        },
      }),
    );
  });
  const progress = {published: 0, repeated: 0};
  const publisher = keep(
    keepProcess({
      name: 'publisher',
      program: program('publisher.ts'),
      args: [JSON.stringify({kind, address: log.address, events} satisfies PublisherTask)],
      onMessage: told => Object.assign(progress, told as PublisherTells),
    }),
  );
  const victims = [sink, ...readers];
  await Promise.all([publisher, ...victims].map(made => made.listening()));
  return {
    log,
    publisher,
    victims,
    progress,
    pending: async () => (await watcher.pending()).get(group) ?? 0,
    books: () => readBooks(database.pool('system')),
  };
};

/** Lets the publisher go on evenly over the acts that are asked, and to the end when they are done. */
const startPacing = (
  {events, kills, restarts, everyMs}: RunOptions,
  {publisher}: World,
  actsDone: () => number,
) => {
  const acts = kills + restarts;
  const share = (events * (1 - lastShare)) / acts;
  const perTick = (share * paceMs) / ((everyMs[0] + everyMs[1]) / 2 + actMs);
  let allowed = 0;
  const timer = setInterval(() => {
    const done = actsDone();
    allowed = done >= acts ? events : Math.min(allowed + perTick, share * Math.min(done + 2, acts));
    publisher.send({upTo: Math.floor(allowed)});
  }, paceMs);
  return () => clearInterval(timer);
};

const countPending = (world: World) => world.pending().catch(() => Number.POSITIVE_INFINITY);

/** Kills and restarts until all that is asked is done, and on until little is left. */
const strike = async (options: RunOptions, world: World, left: () => number) => {
  const {kills: killsMin, restarts, everyMs, seed, events, say = () => {}} = options;
  const kills: Record<string, number> = {};
  let done = 0;
  let restarted = 0;
  const stopPacing = startPacing(options, world, () => done);
  const victims = world.victims.map(({name}) => name);
  const began = performance.now();
  for (const act of planOf({seed, victims, kills: killsMin, restarts, everyMs})) {
    const isAsked = done < killsMin + restarts;
    const pending = isAsked ? 0 : await countPending(world);
    const isOver = world.progress.published === events && pending <= events * lastShare;
    if (left() < 0 || (!isAsked && (isOver || left() < options.limitMs / 3))) {
      break;
    }
    await wait(act.afterMs);
    const at = `${((performance.now() - began) / 1_000).toFixed(1)} s`;
    if (act.kind === 'restart') {
      say(`${at}: kill -9 of the broker, back after ${act.awayMs} ms`);
      await world.log.restart(act.awayMs);
      restarted += 1;
    } else {
      const victim = world.victims.find(({name}) => name === act.victim) as KeptProcess;
      await victim.kill();
      kills[act.victim] = (kills[act.victim] ?? 0) + 1;
      const {effects} = await world.books();
      say(
        `${at}: kill -9 of ${act.victim}; ${world.progress.published} published, ${effects} effects`,
      );
      await Promise.race([victim.listening(), wait(Math.max(left(), 0))]);
    }
    done += 1;
  }
  return {kills, restarts: restarted, stopPacing};
};

/** Until nothing waits; then a moment longer, for effects that are late. */
const rest = async ({events}: RunOptions, world: World, left: () => number) => {
  const lateMs = 3_000;
  let quietSince: number | undefined;
  for (;;) {
    const isPublished = world.progress.published === events;
    const waiting = isPublished ? await countPending(world) : Number.POSITIVE_INFINITY;
    quietSince = waiting === 0 ? (quietSince ?? performance.now()) : undefined;
    const {effective} = await world.books();
    const isLong = quietSince !== undefined && performance.now() - quietSince > lateMs;
    if ((waiting === 0 && effective === events) || isLong || left() < 0) {
      return waiting;
    }
    await wait(200);
  }
};

export const runDelivery = async (options: RunOptions): Promise<Figures> => {
  const ends: (() => unknown)[] = [];
  const began = performance.now();
  const left = () => options.limitMs - (performance.now() - began);
  try {
    const world = await startWorld(options, {teardown: end => void ends.unshift(end)});
    const started = performance.now();
    const {kills, restarts, stopPacing} = await strike(options, world, left);
    const waiting = await rest(options, world, left);
    const seconds = (performance.now() - started) / 1_000;
    stopPacing();
    const everybody = [world.publisher, ...world.victims];
    const sink = world.victims[0] as KeptProcess;
    const unanswered = sink.endings.filter(how => how === 'SIGKILL').length;
    return {
      kind: options.kind,
      batch: options.batch,
      seed: options.seed,
      events: options.events,
      ...world.progress,
      entries: await world.log.entries(),
      books: await world.books(),
      kills,
      unanswered,
      restarts,
      otherEnds: everybody.flatMap(({name, endings}) =>
        endings.filter(how => how !== 'SIGKILL').map(how => `${name}: ${how}`),
      ),
      waiting,
      seconds,
      asked: {kills: options.kills, restarts: options.restarts},
      output: Object.fromEntries(everybody.map(({name, output}) => [name, output()])),
    };
  } finally {
    for (const end of ends) {
      await end();
    }
  }
};
