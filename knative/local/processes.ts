/**
Processes: runs a function as a child process, as Knative runs its container, and starts it again when it crashes.

In: the program, its environment. Out: where it listens now, and its end. A child tells its port over the IPC channel
(`{listening: port}`); when the runner dies the channel closes and the child ends itself.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import type {Readable} from 'node:stream';
import {fileURLToPath} from 'node:url';
import {StartError} from './problems.ts';

export type Child = Readonly<{
  name: string;
  /** Where it listens; undefined while it is away. */
  url(): string | undefined;
  pid(): number | undefined;
  /** Resolves when it listens for the first time; rejects when it ends before that. */
  ready: Promise<void>;
  /** SIGTERM, then SIGKILL after `graceMs`. Resolves when it is gone. */
  stop(graceMs: number): Promise<void>;
  kill(): void;
}>;

export type ChildOptions = Readonly<{
  name: string;
  program: string;
  env: Readonly<Record<string, string>>;
  onLine: (name: string, line: string) => void;
  /** Something to tell the person: it crashed, it is back. */
  onNote: (note: string) => void;
  restartMinMs?: number;
  restartMaxMs?: number;
  /** A child that ran this long has recovered: the next restart waits the least again. */
  healthyMs?: number;
  startTimeoutMs?: number;
}>;

const leash = fileURLToPath(new URL('./leash.ts', import.meta.url));
const keptLines = 10;

export const startChild = ({
  name,
  program,
  env,
  onLine,
  onNote,
  restartMinMs = 1_000,
  restartMaxMs = 30_000,
  healthyMs = 60_000,
  startTimeoutMs = 60_000,
}: ChildOptions): Child => {
  let child: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  let port: number | undefined;
  let stopping = false;
  let restart: NodeJS.Timeout | undefined;
  let waitMs = restartMinMs;
  let everReady = false;
  const first = Promise.withResolvers<void>();
  // Whoever starts several children hears of the first failure; the others' must not end the process.
  first.promise.catch(() => {});

  const run = () => {
    const startedAt = performance.now();
    const launched = launch({name, program, env, onLine, startTimeoutMs, onListening});
    child = launched.child;
    ended = launched.ended.then(end => {
      child = undefined;
      port = undefined;
      onEnd(end, performance.now() - startedAt);
    });
  };

  const onListening = (at: number) => {
    port = at;
    if (everReady) {
      onNote(`${name} is back`);
    }
    everReady = true;
    first.resolve();
  };

  const onEnd = ({how, lastLines}: End, ranMs: number) => {
    if (stopping) {
      first.reject(new StartError(`${name} was stopped`));
    } else if (!everReady) {
      first.reject(new StartError([`${name} ${how}`, ...lastLines].join('\n  ')));
    } else {
      waitMs = ranMs > healthyMs ? restartMinMs : waitMs;
      onNote(`${name} ${how}; starting it again in ${waitMs / 1000} s`);
      restart = setTimeout(run, waitMs);
      waitMs = Math.min(waitMs * 2, restartMaxMs);
    }
  };

  run();
  return {
    name,
    url: () => (port === undefined ? undefined : `http://127.0.0.1:${port}`),
    pid: () => child?.pid,
    ready: first.promise,
    kill: () => {
      stopping = true;
      clearTimeout(restart);
      child?.kill('SIGKILL');
    },
    async stop(graceMs) {
      stopping = true;
      clearTimeout(restart);
      const hard = setTimeout(() => child?.kill('SIGKILL'), graceMs);
      child?.kill('SIGTERM');
      await ended;
      clearTimeout(hard);
    },
  };
};

type End = Readonly<{how: string; lastLines: readonly string[]}>;

/** One life of a child: `ended` resolves with why it is over, after its last line of output. */
const launch = ({
  name,
  program,
  env,
  onLine,
  startTimeoutMs,
  onListening,
}: Pick<ChildOptions, 'name' | 'program' | 'env' | 'onLine'> & {
  startTimeoutMs: number;
  onListening: (port: number) => void;
}) => {
  const child = spawn(process.execPath, ['--import', leash, program], {
    env: {...env},
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // A group of its own: the terminal's Ctrl-C is for the runner, which stops the children in order.
    detached: true,
  });
  const lastLines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({input: stream as Readable}).on('line', line => {
      lastLines.push(line);
      lastLines.splice(0, lastLines.length - keptLines);
      onLine(name, line);
    });
  }
  let reason: string | undefined;
  let listened = false;
  const timer = setTimeout(() => {
    reason = `did not listen within ${startTimeoutMs / 1000} s`;
    child.kill('SIGKILL');
  }, startTimeoutMs);
  child.on('message', message => {
    const {listening} = message as {listening?: unknown};
    if (typeof listening === 'number') {
      clearTimeout(timer);
      listened = true;
      onListening(listening);
    }
  });
  const ended = new Promise<End>(resolve => {
    child.once('error', error => {
      reason = `cannot be run: ${error.message}`;
      // Without a process there is nothing to close.
      if (child.pid === undefined) {
        resolve({how: reason, lastLines});
      }
    });
    // `close` comes after the last line of output, `exit` may come before it.
    child.once('close', (code, signal) => {
      const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
      resolve({how: reason ?? (listened ? how : `${how} before it listened`), lastLines});
    });
  }).finally(() => clearTimeout(timer));
  return {child, ended};
};
