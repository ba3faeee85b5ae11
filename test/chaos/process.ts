/**
Process: one that is started again whenever it ends, as a kubelet would.

In: a program, its environment. Out: `kill`, which is SIGKILL and not a request; `signal` for freezes; `end`, which is SIGTERM; how
it ended of itself; the end of what it wrote.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';

export type KeptProcess = Readonly<{
  name: string;
  /** Resolves when the process that runs now, or the next one, says that it listens. */
  listening(): Promise<void>;
  /** kill -9; resolves when it is dead. The next one is on its way by then. */
  kill(): Promise<void>;
  /** To the process that runs now: SIGSTOP, SIGCONT, a signal of its own. */
  signal(name: NodeJS.Signals): void;
  send(message: object): void;
  /** How it ended without having been killed by us, each time: a signal's name or an exit code. */
  endings: readonly string[];
  output(): string;
  stop(): Promise<void>;
  /** SIGTERM, and SIGKILL when it takes too long; it is not started again. */
  end(waitMs?: number): Promise<void>;
}>;

const againMs = 200;
const outputMax = 20_000;

export const keepProcess = ({
  name,
  program,
  args = [],
  nodeArguments = [],
  environment = {},
  onMessage = () => {},
}: {
  name: string;
  program: URL;
  args?: readonly string[];
  nodeArguments?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  onMessage?: (message: unknown) => void;
}): KeptProcess => {
  const endings: string[] = [];
  const killed = new WeakSet<ChildProcess>();
  let listening = Promise.withResolvers<void>();
  let isListening = false;
  let output = '';
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let child: ChildProcess;
  let ended: Promise<unknown>;

  const start = () => {
    const started = spawn(process.execPath, [...nodeArguments, program.pathname, ...args], {
      // Only what is named: a run must not hang on somebody's environment.
      env: {PATH: process.env.PATH, NODE_ENV: 'production', ...environment},
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    child = started;
    ended = once(started, 'exit');
    for (const stream of [started.stdout, started.stderr]) {
      stream?.on('data', chunk => {
        output = (output + chunk).slice(-outputMax);
      });
    }
    started.on('message', (message: {listening?: number}) => {
      if (message.listening === undefined) {
        onMessage(message);
      } else {
        isListening = true;
        listening.resolve();
      }
    });
    started.once('exit', (code, signal) => {
      // Who waits for one that ended before it listened waits for the next one.
      if (isListening) {
        isListening = false;
        listening = Promise.withResolvers();
      }
      if (stopped) {
        return;
      }
      if (killed.has(started)) {
        start();
      } else {
        endings.push(signal ?? String(code));
        timer = setTimeout(start, againMs);
      }
    });
  };
  start();

  return {
    name,
    endings,
    output: () => output,
    listening: () => listening.promise,
    async kill() {
      killed.add(child);
      const end = ended;
      child.kill('SIGKILL');
      await end;
    },
    signal(signal) {
      child.kill(signal);
    },
    send(message) {
      if (child.connected) {
        child.send(message);
      }
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await ended;
      }
    },
    async end(waitMs = 15_000) {
      stopped = true;
      clearTimeout(timer);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        const hard = setTimeout(() => child.kill('SIGKILL'), waitMs);
        await ended;
        clearTimeout(hard);
      }
    },
  };
};
