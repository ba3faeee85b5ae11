/**
Processes: runs a function as a child process, as Knative runs its container, starts it again when it crashes, and lets it
rest when nobody needs it.

In: the program, its environment. Out: where it listens now, and its end. At most one process listens; beside it others may
still be draining. Whether and when it rests is decided by its gate (`activator/`).
*/
import {launch as defaultLaunch, type End, type Launched} from './launch.ts';
import {StartError} from './problems.ts';
import {afterCrash} from './restarts.ts';

/** `away`: it crashed and waits for its next start. `resting`: it has no process and is started by `wake`. */
export type ChildState = 'starting' | 'listening' | 'away' | 'resting' | 'stopped';

export type Child = Readonly<{
  name: string;
  /** Where it listens; undefined while it is away. */
  url(): string | undefined;
  pid(): number | undefined;
  state(): ChildState;
  /** How often it crashed in a row. */
  crashes(): number;
  /** Those that drain are counted. */
  processes(): number;
  /** Resolves when it listens for the first time; rejects when it ends before that. */
  ready: Promise<void>;
  /** Starts one that rests; after a crash not before its time. */
  wake(): void;
  /** One that listens is told to end, and from now on is nobody's address. SIGTERM, then SIGKILL after `graceMs`. */
  rest(graceMs: number): void;
  /** SIGTERM, then SIGKILL after `graceMs`. Resolves when every process is gone. */
  stop(graceMs: number): Promise<void>;
  kill(): void;
}>;

/**
What follows a crash. `rest`: nobody needs it now, and the next request starts it, not before its time. `forgive`: the same,
and it was nobody's fault (killed while nobody was inside), so that the next start need not wait.
*/
export type AfterCrash = 'restart' | 'rest' | 'forgive';

export type ChildOptions = Readonly<{
  name: string;
  program: string;
  env: Readonly<Record<string, string>>;
  onLine: (name: string, line: string) => void;
  /** Something to tell the person: it crashed, it is back. */
  onNote: (note: string) => void;
  /** A process listens, or is gone. Never called while `startChild` runs. */
  onChange?: () => void;
  onCrash?: () => AfterCrash;
  restartMinMs?: number;
  restartMaxMs?: number;
  /** A child that ran this long has recovered: the next restart waits the least again. */
  healthyMs?: number;
  startTimeoutMs?: number;
  launch?: typeof defaultLaunch;
}>;

type Life = {process: Launched['process']; ended: Promise<void>; port?: number};

export const startChild = ({
  name,
  program,
  env,
  onLine,
  onNote,
  onChange = () => {},
  onCrash = () => 'restart',
  restartMinMs = 1_000,
  restartMaxMs = 30_000,
  healthyMs = 60_000,
  startTimeoutMs = 60_000,
  launch = defaultLaunch,
}: ChildOptions): Child => {
  const rules = {minMs: restartMinMs, maxMs: restartMaxMs, healthyMs};
  const lives = new Set<Life>();
  let current: Life | undefined;
  let state: ChildState = 'resting';
  let restart: NodeJS.Timeout | undefined;
  let crashes = 0;
  let notBeforeMs = 0;
  let everReady = false;
  const first = Promise.withResolvers<void>();
  // Whoever starts several children hears of the first failure; the others' must not end the process.
  first.promise.catch(() => {});

  const run = () => {
    state = 'starting';
    const startedMs = performance.now();
    const onListening = (port: number) => {
      life.port = port;
      if (state === 'starting' && current === life) {
        listening();
      }
    };
    const launched = launch({name, program, env, onLine, startTimeoutMs, onListening});
    const ended = launched.ended.then(end => {
      lives.delete(life);
      if (current === life) {
        current = undefined;
        onEnd(end, {ranMs: performance.now() - startedMs, listened: life.port !== undefined});
      } else if (end.how !== 'ended with status 0') {
        onNote(`${name} ${end.how} while it was draining`);
      }
      onChange();
    });
    const life: Life = {process: launched.process, ended};
    current = life;
    lives.add(life);
  };

  const listening = () => {
    state = 'listening';
    if (everReady && crashes > 0) {
      onNote(`${name} is back`);
    }
    everReady = true;
    first.resolve();
    onChange();
  };

  const onEnd = ({how, lastLines}: End, {ranMs, listened}: {ranMs: number; listened: boolean}) => {
    if (state === 'stopped') {
      first.reject(new StartError(`${name} was stopped`));
      return;
    }
    if (!everReady) {
      state = 'stopped';
      first.reject(new StartError([`${name} ${how}`, ...lastLines].join('\n  ')));
      return;
    }
    const what = onCrash();
    state = what === 'restart' ? 'away' : 'resting';
    if (what === 'forgive' && listened) {
      onNote(`${name} ${how}; the next request starts it`);
      return;
    }
    const next = afterCrash({crashes, ranMs}, rules);
    crashes = next.crashes;
    notBeforeMs = performance.now() + next.waitMs;
    onNote(`${name} ${how}; starting it again in ${next.waitMs / 1000} s`);
    if (what === 'restart') {
      restart = setTimeout(run, next.waitMs);
    }
  };

  const end = (life: Life, graceMs: number) => {
    const hard = setTimeout(() => life.process.kill('SIGKILL'), graceMs);
    life.process.kill('SIGTERM');
    return life.ended.finally(() => clearTimeout(hard));
  };

  run();
  return {
    name,
    url: () => (current?.port === undefined ? undefined : `http://127.0.0.1:${current.port}`),
    pid: () => current?.process.pid,
    state: () => state,
    crashes: () => crashes,
    processes: () => lives.size,
    ready: first.promise,
    wake() {
      if (state === 'resting') {
        state = 'away';
        const waitMs = notBeforeMs - performance.now();
        if (waitMs > 0) {
          restart = setTimeout(run, waitMs);
        } else {
          run();
        }
      }
    },
    rest(graceMs) {
      if (state === 'listening' && current !== undefined) {
        const life = current;
        current = undefined;
        state = 'resting';
        crashes = 0;
        void end(life, graceMs);
      }
    },
    kill: () => {
      state = 'stopped';
      clearTimeout(restart);
      for (const life of lives) {
        life.process.kill('SIGKILL');
      }
    },
    async stop(graceMs) {
      state = 'stopped';
      clearTimeout(restart);
      await Promise.all([...lives].map(life => end(life, graceMs)));
    },
  };
};
