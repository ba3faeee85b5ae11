/**
Postgres control: runs the embedded PostgreSQL's own programs: start, stop, and who serves a data folder.

In: the account, the programs, the folder. Out: exit codes and what the programs and the server said.
*/
import {spawn} from 'node:child_process';
import {existsSync, readFileSync, rmSync, statSync, truncateSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {setTimeout as wait} from 'node:timers/promises';
import type {Account, Programs} from './account.ts';
import {EmbeddedPostgresError} from './errors.ts';

const logBytesMax = 10 * 1024 * 1024;

export type Run = Readonly<{code: number | null; output: string}>;

export const run = (
  account: Account | undefined,
  program: string,
  args: readonly string[],
): Promise<Run> =>
  new Promise((resolveRun, reject) => {
    const child = spawn(program, args, {
      // Not the caller's folder: the account may not be allowed to enter it.
      cwd: dirname(program),
      env: {PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC'},
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(account ? {uid: account.uid, gid: account.gid} : {}),
      // A Ctrl-C in the terminal is for us; a server that is half started or half stopped is finished by us.
      detached: true,
      windowsHide: true,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        output += chunk;
      });
    }
    child.on('error', reject);
    child.on('close', code => resolveRun({code, output}));
  });

export type Control = ReturnType<typeof createControl>;

export const createControl = ({
  account,
  programs,
  directory,
}: {
  account: Account | undefined;
  programs: Programs;
  directory: string;
}) => {
  const logFile = join(directory, 'server.log');
  const control = (...args: string[]) =>
    run(account, programs.pg_ctl, [...args, `--pgdata=${directory}`]);
  /** Not pg_ctl's own wait: it waits for a dead process that nobody has reaped, as in a container without an init. */
  const stopBy = async (mode: 'fast' | 'immediate', waitMs: number) => {
    await control('stop', '--no-wait', `--mode=${mode}`);
    const end = performance.now() + waitMs;
    while (runningPid(directory) !== undefined) {
      if (performance.now() > end) {
        return false;
      }
      await wait(20);
    }
    return true;
  };
  return {
    start: async (settings: Readonly<Record<string, string | number>>): Promise<Run> => {
      if (existsSync(logFile) && statSync(logFile).size > logBytesMax) {
        truncateSync(logFile);
      }
      const before = existsSync(logFile) ? statSync(logFile).size : 0;
      const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
      const {code, output} = await control(
        'start',
        '--wait',
        '--timeout=60',
        `--log=${logFile}`,
        `--options=${options.join(' ')}`,
      );
      const logged =
        code !== 0 && existsSync(logFile) ? readFileSync(logFile, 'utf8').slice(before) : '';
      return {code, output: `${output}${logged}`};
    },
    /** Fast breaks off what runs and writes everything; immediate is a crash that the next start repairs. */
    stop: async () => {
      if (
        runningPid(directory) !== undefined &&
        !(await stopBy('fast', 20_000)) &&
        !(await stopBy('immediate', 10_000))
      ) {
        throw new EmbeddedPostgresError(
          'failed',
          `PostgreSQL on ${directory} did not stop within 30 seconds`,
        );
      }
    },
  };
};

/** The process that serves the folder. */
export const runningPid = (directory: string): number | undefined => {
  const pid = Number.parseInt(readMark(directory)[0] ?? '', 10);
  return Number.isNaN(pid) || !isAlive(pid) || isSomebodyElse(pid, directory) ? undefined : pid;
};

/**
Removes the mark of a server that is dead, where PostgreSQL itself would not: some other program has its number by now, or
nobody has reaped it. Not while processes of that server still share its memory: they may be writing to the folder.
*/
export const removeDeadMark = (directory: string) => {
  const [number = '', , , , , , memory = ''] = readMark(directory);
  const pid = Number.parseInt(number, 10);
  if (isAlive(pid) && isSomebodyElse(pid, directory) && !isShared(memory)) {
    rmSync(join(directory, 'postmaster.pid'), {force: true});
  }
};

const readMark = (directory: string): string[] => {
  const file = join(directory, 'postmaster.pid');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
};

/** False where the system does not tell. A process that is dead and not yet reaped has no command any more. */
const isSomebodyElse = (pid: number, directory: string) => {
  if (!existsSync('/proc/self/cmdline')) {
    return false;
  }
  try {
    return !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(directory);
  } catch {
    return true;
  }
};

/** In: the mark's line of key and number of the shared memory. */
const isShared = (memory: string) => {
  const wanted = memory.trim().split(/\s+/)[1];
  const list = '/proc/sysvipc/shm';
  const [head = '', ...rows] = existsSync(list) ? readFileSync(list, 'utf8').split('\n') : [];
  const at = head.trim().split(/\s+/).indexOf('nattch');
  const row = rows.map(line => line.trim().split(/\s+/)).find(([, id]) => id === wanted);
  return wanted !== undefined && Number(row?.[at] ?? 0) > 0;
};

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};
