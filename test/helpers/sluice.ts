/**
Sluice: a whole `npm start` for one test, on a free port and with a data folder of its own.

In: the test, more arguments, more environment. Out: what the JSON line says, the process, and ways to end it. When the test
ends it is stopped, its PostgreSQL too when it was killed, and the folder removed unless the test brought it.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';
import {chmod, mkdtemp, rm} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';

export type Sluice = Readonly<{
  url: string;
  apiKey: string;
  adminKey: string;
  model: string;
  environment: string;
  dataFolder: string;
  process: ChildProcess;
  /** Every line of standard error so far. */
  lines: readonly string[];
  /** SIGTERM; resolves with the exit status. */
  stop(): Promise<number | null>;
  /** SIGKILL of the runner alone; resolves when it is gone. */
  kill(): Promise<void>;
  /** The functions and the simulated model. */
  children(): number[];
  /** SIGKILL of the runner, of everything it started and of PostgreSQL, as a machine that loses power. */
  killAll(): Promise<void>;
}>;

type Options = Readonly<{
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
  dataFolder?: string;
  timeoutMs?: number;
}>;

type Teardown = Pick<ExecutionContext, 'teardown'>;

const program = fileURLToPath(new URL('../../knative/local/main.ts', import.meta.url));

/** A model that does not dawdle, and one cache of compiled code for all tests. */
const testEnvironment = {
  FIRST_TOKEN_DELAY_MS: '0',
  TOKEN_DELAY_MS: '0',
  SLUICE_LEASH_MS: '2000',
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/sluice', import.meta.url)),
};

/** For starts that follow each other: the first costs the most. Whoever makes it removes it. */
export const openDataFolder = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-start-'));
  // As root PostgreSQL runs under another account, which must get to its data.
  await chmod(folder, 0o755);
  return {
    path: join(folder, 'data'),
    async remove() {
      endPostgres(folder);
      await rm(folder, {recursive: true, force: true, maxRetries: 20, retryDelay: 100});
    },
  };
};

export const makeDataFolder = async (t: Teardown): Promise<string> => {
  const {path, remove} = await openDataFolder();
  t.teardown(remove);
  return path;
};

/** What a killed runner leaves behind: PostgreSQL, until the next start on its folder. */
const endPostgres = (folder: string) => {
  try {
    const file = readFileSync(join(folder, 'data', 'postgres', 'postmaster.pid'), 'utf8');
    process.kill(Number.parseInt(file, 10), 'SIGQUIT');
  } catch {
    // It was stopped, or never started.
  }
};

const postmasterOf = (folder: string) => {
  const pid = Number.parseInt(readFileSync(join(folder, 'postgres', 'postmaster.pid'), 'utf8'), 10);
  return [pid, ...childrenOf(pid)];
};

/** From the kernel's own list, so that nothing has to be told who is killed. */
export const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent;
      } catch {
        return false;
      }
    });

/** Starts the program without waiting for anything: for starts that are meant to fail. */
export const spawnSluice = (t: Teardown, args: readonly string[], env: Options['env'] = {}) => {
  const child = spawn(process.execPath, [program, ...args], {
    env: {...process.env, ...testEnvironment, ...env},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const hard = setTimeout(() => child.kill('SIGKILL'), 20_000);
      await once(child, 'exit');
      clearTimeout(hard);
    }
  });
  const lines: string[] = [];
  const output: string[] = [];
  createInterface({input: child.stderr}).on('line', line => lines.push(line));
  const stdout = createInterface({input: child.stdout}).on('line', line => output.push(line));
  const ended = once(child, 'close').then(([status]) => status as number | null);
  return {child, lines, output, stdout, ended};
};

export const startSluice = async (
  t: Teardown,
  {args = [], env = {}, dataFolder, timeoutMs = 180_000}: Options = {},
): Promise<Sluice> => {
  const folder = dataFolder ?? (await makeDataFolder(t));
  const started = spawnSluice(t, ['--json', '--port', '0', '--data', folder, ...args], env);
  const {child, lines, output, stdout, ended} = started;
  const signal = AbortSignal.timeout(timeoutMs);
  await Promise.race([once(stdout, 'line', {signal}).catch(() => {}), ended]);
  const [line] = output;
  if (line === undefined) {
    throw new Error(`Sluice did not start:\n${lines.slice(-20).join('\n')}`);
  }
  return {
    ...(JSON.parse(line) as Pick<Sluice, 'url' | 'apiKey' | 'adminKey' | 'model' | 'environment'>),
    dataFolder: folder,
    process: child,
    lines,
    async stop() {
      child.kill('SIGTERM');
      return ended;
    },
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    children: () => childrenOf(child.pid as number),
    async killAll() {
      const all = [
        child.pid as number,
        ...childrenOf(child.pid as number),
        ...postmasterOf(folder),
      ];
      for (const pid of all) {
        // The first death may have ended another already.
        if (isAlive(pid)) {
          process.kill(pid, 'SIGKILL');
        }
      }
      await ended;
    },
  };
};

export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
