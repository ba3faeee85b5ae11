/**
Load: the client of every target, in a process of its own so that its work is nobody else's.

In: over the channel, a plan to start, a mark, a stop. Out: at a mark, what was completed since the last one. An open loop
sends at its rate whatever comes back, so a slow target cannot slow its own load; a closed one keeps its connections busy.
*/
import {Pool} from 'undici';

export type Plan = Readonly<{
  url: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  connections: number;
  /** Requests a second; undefined = a closed loop. */
  rate?: number;
  /** Count server-sent events too. */
  countsEvents?: boolean;
}>;
export type Command =
  | Readonly<{kind: 'start'; plan: Plan}>
  | Readonly<{kind: 'mark'}>
  | Readonly<{kind: 'stop'}>;
export type Count = {completed: number; failed: number; events: number; latenciesMs: number[]};

const fresh = (): Count => ({completed: 0, failed: 0, events: 0, latenciesMs: []});
const blankLine = Buffer.from('\n\n');

let count = fresh();
let running: {stop(): Promise<void>} | undefined;

const eventsIn = (bytes: Buffer) => {
  let found = 0;
  for (let at = bytes.indexOf(blankLine); at >= 0; at = bytes.indexOf(blankLine, at + 2)) {
    found += 1;
  }
  return found;
};

const createCaller = ({url, headers, body, connections, countsEvents}: Plan) => {
  const {origin, pathname: path} = new URL(url);
  const pool = new Pool(origin, {connections, pipelining: 1});
  const call = (onEnd: () => void) => {
    const startedMs = performance.now();
    let isGood = false;
    const end = (completed: boolean) => {
      if (completed) {
        count.completed += 1;
        count.latenciesMs.push(performance.now() - startedMs);
      } else {
        count.failed += 1;
      }
      onEnd();
    };
    pool.dispatch(
      {method: 'POST', path, headers, body},
      {
        onRequestStart() {},
        onResponseStart(_controller, status) {
          isGood = status === 200;
        },
        onResponseData(_controller, bytes) {
          if (countsEvents) {
            count.events += eventsIn(bytes);
          }
        },
        onResponseEnd: () => end(isGood),
        onResponseError: () => end(false),
      },
    );
  };
  return {call, close: () => pool.close()};
};

const start = (plan: Plan) => {
  const {call, close} = createCaller(plan);
  let stopped = false;
  if (plan.rate === undefined) {
    const next = () => {
      if (!stopped) {
        call(next);
      }
    };
    for (let connection = 0; connection < plan.connections; connection++) {
      next();
    }
    return {
      async stop() {
        stopped = true;
        await close();
      },
    };
  }
  const startedMs = performance.now();
  const perMs = plan.rate / 1_000;
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = (performance.now() - startedMs) * perMs; sent < due; sent++) {
      call(() => {});
    }
  }, 1);
  return {
    async stop() {
      clearInterval(timer);
      await close();
    },
  };
};

process.on('message', async (command: Command) => {
  if (command.kind === 'start') {
    count = fresh();
    running = start(command.plan);
  } else if (command.kind === 'mark') {
    process.send?.(count);
    count = fresh();
  } else {
    await running?.stop();
    process.send?.({stopped: true});
  }
});
process.once('disconnect', () => process.exit(0));
process.send?.({listening: 0});
