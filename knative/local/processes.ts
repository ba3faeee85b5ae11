/**
Processes: runs a function as a child process, as Knative runs its container, and starts it again when it crashes.

In: the program, its environment. Out: where it listens now, and its end. A child tells its port over the IPC channel
(`{listening: port}`); when the runner dies the channel closes and the child ends itself.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
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
  let port: number | undefined;
  let stopping = false;
  let restart: NodeJS.Timeout | undefined;
  let waitMs = restartMinMs;
  let everReady = false;
  let startedAt = 0;
  const lastLines: string[] = [];
  const first = Promise.withResolvers<void>();
  // Whoever starts several children hears of the first failure; the others' must not end the process.
  first.promise.catch(() => {});
  const ends = new Set<() => void>();

  const run = () => {
    startedAt = performance.now();
    const running = spawn(process.execPath, ['--import', leash, program], {
      env: {...env},
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // A group of its own: the terminal's Ctrl-C is for the runner, which stops the children in order.
      detached: true,
    });
    child = running;
    for (const stream of [running.stdout, running.stderr]) {
      if (stream) {
        createInterface({input: stream}).on('line', line => {
          lastLines.push(line);
          lastLines.splice(0, lastLines.length - keptLines);
          onLine(name, line);
        });
      }
    }
    const timer = setTimeout(
      () => fail(`did not listen within ${startTimeoutMs / 1000} s`),
      startTimeoutMs,
    );
    timer.unref();
    const fail = (reason: string) => {
      running.kill('SIGKILL');
      first.reject(new StartError(`${name} ${reason}`));
    };
    running.on('message', message => {
      const listening = (message as {listening?: unknown}).listening;
      if (typeof listening === 'number') {
        clearTimeout(timer);
        port = listening;
        if (everReady) {
          onNote(`${name} is back`);
        }
        everReady = true;
        first.resolve();
      }
    });
    running.on('error', error => fail(`cannot be started: ${error.message}`));
    // `close` comes after the last line of output, `exit` may come before it.
    running.on('close', (code, signal) => {
      clearTimeout(timer);
      onClose(code, signal);
    });
  };

  const onClose = (code: number | null, signal: NodeJS.Signals | null) => {
    child = undefined;
    port = undefined;
    for (const end of ends) {
      end();
    }
    ends.clear();
    if (stopping) {
      first.reject(new StartError(`${name} was stopped`));
      return;
    }
    const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
    if (!everReady) {
      first.reject(
        new StartError([`${name} ${how} before it listened`, ...lastLines].join('\n  ')),
      );
      return;
    }
    waitMs = performance.now() - startedAt > healthyMs ? restartMinMs : waitMs;
    onNote(`${name} ${how}; starting it again in ${waitMs / 1000} s`);
    restart = setTimeout(run, waitMs);
    waitMs = Math.min(waitMs * 2, restartMaxMs);
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
      if (child === undefined) {
        return;
      }
      const ended = new Promise<void>(resolve => ends.add(resolve));
      const hard = setTimeout(() => child?.kill('SIGKILL'), graceMs);
      child.kill('SIGTERM');
      await ended;
      clearTimeout(hard);
    },
  };
};
