/**
Load: so many streams open at once, each followed by another when it ends, in a process of its own.

In: over the channel, a plan, marks, a stop. Out: at a mark, what came since the last one: tokens, and how late each was behind the
one before it in its stream. A token that is missing at a mark is late as well, by what has gone by.
*/
import {Pool} from 'undici';

export type Plan = Readonly<{
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  streams: number;
  /** Streams opened a second at first, so that they neither begin nor end in step. */
  openedPerSecond: number;
  /** Between two tokens of a stream. */
  paceMs: number;
  /** Behind its time. */
  lateMs: number;
}>;
export type Command =
  | Readonly<{kind: 'start'; plan: Plan}>
  | Readonly<{kind: 'mark'}>
  | Readonly<{kind: 'stop'}>;
export type Count = {
  open: number;
  tokens: number;
  late: number;
  latestMs: number;
  ended: number;
  failed: number;
  /** By status, or by the error's code. */
  failures: Record<string, number>;
};

type Stream = {lastMs: number};

const blankLine = Buffer.from('\n\n');
const fresh = (): Omit<Count, 'open'> => ({
  tokens: 0,
  late: 0,
  latestMs: 0,
  ended: 0,
  failed: 0,
  failures: {},
});

const eventsIn = (bytes: Buffer) => {
  let found = 0;
  for (let at = bytes.indexOf(blankLine); at >= 0; at = bytes.indexOf(blankLine, at + 2)) {
    found += 1;
  }
  return found;
};

let count = fresh();
const streams = new Set<Stream>();

const noteLateness = (stream: Stream, {paceMs, lateMs}: Plan, nowMs: number) => {
  const byMs = nowMs - stream.lastMs - paceMs;
  count.latestMs = Math.max(count.latestMs, byMs);
  count.late += byMs > lateMs ? 1 : 0;
};

const start = (plan: Plan) => {
  const {origin, pathname: path} = new URL(plan.url);
  const pool = new Pool(origin, {connections: plan.streams, pipelining: 1});
  let stopped = false;
  let opened = 0;
  const open = () => {
    if (stopped) {
      return;
    }
    // Its first token is due at once; that it may take as long as the others is to its favour.
    const stream: Stream = {lastMs: performance.now()};
    let statusCode = 0;
    streams.add(stream);
    const end = (failure?: string) => {
      streams.delete(stream);
      if (failure === undefined) {
        count.ended += 1;
      } else if (!stopped) {
        count.failed += 1;
        count.failures[failure] = (count.failures[failure] ?? 0) + 1;
      }
      // One that fails at once would ask again at once.
      setTimeout(open, failure === undefined ? 0 : 1_000);
    };
    pool.dispatch(
      {method: 'POST', path, headers: plan.headers, body: plan.body},
      {
        onRequestStart() {},
        onResponseStart(_controller, status) {
          statusCode = status;
        },
        onResponseData(_controller, bytes) {
          const nowMs = performance.now();
          count.tokens += eventsIn(bytes);
          noteLateness(stream, plan, nowMs);
          stream.lastMs = nowMs;
        },
        onResponseEnd: () => end(statusCode === 200 ? undefined : String(statusCode)),
        onResponseError: (_controller, error) => end((error as {code?: string}).code ?? error.name),
      },
    );
  };
  const startedMs = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - startedMs) / 1_000) * plan.openedPerSecond;
    for (; opened < Math.min(due, plan.streams); opened++) {
      open();
    }
    if (opened === plan.streams) {
      clearInterval(timer);
    }
  }, 5);
  return {
    missing(nowMs: number) {
      for (const stream of streams) {
        if (nowMs - stream.lastMs > plan.paceMs + plan.lateMs) {
          noteLateness(stream, plan, nowMs);
        }
      }
    },
    async stop() {
      stopped = true;
      clearInterval(timer);
      await pool.destroy();
    },
  };
};

let running: ReturnType<typeof start> | undefined;

process.on('message', async (command: Command) => {
  if (command.kind === 'start') {
    running = start(command.plan);
  } else if (command.kind === 'mark') {
    running?.missing(performance.now());
    process.send?.({...count, open: streams.size} satisfies Count);
    count = fresh();
  } else {
    await running?.stop();
    process.send?.({stopped: true});
  }
});
process.once('disconnect', () => process.exit(0));
process.send?.({listening: 0});
