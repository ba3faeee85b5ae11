/**
Function processes: which process of a running Sluice is which, read from the kernel.

In: a Sluice. Out: process ids by the name that the runner gave them in K_SERVICE, their environment, and PostgreSQL's.
*/
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {eventually} from './eventually.ts';
import {childrenOf, type Sluice} from './sluice.ts';

export const environmentOf = (pid: number): Record<string, string> =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .filter(entry => entry.includes('='))
      .map(entry => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );

const nameOf = (pid: number) => {
  try {
    return environmentOf(pid).K_SERVICE;
  } catch {
    return undefined;
  }
};

/** Waits for it when it is being started again. */
export const pidOf = (sluice: Sluice, name: string): Promise<number> =>
  eventually(() => {
    const pid = sluice.children().find(child => nameOf(child) === name);
    if (pid === undefined) {
      throw new Error(`${name} is away`);
    }
    return pid;
  });

export const killFunction = async (sluice: Sluice, name: string) => {
  process.kill(await pidOf(sluice, name), 'SIGKILL');
};

/** As the front door tells it: every function listens. */
export const allListen = (sluice: Sluice, timeoutMs = 30_000) =>
  eventually(
    async () => {
      const {status, functions} = (await (await fetch(`${sluice.url}/healthz`)).json()) as {
        status: string;
        functions: unknown;
      };
      if (status !== 'ok') {
        throw new Error(JSON.stringify(functions));
      }
    },
    {timeoutMs, intervalMs: 100},
  );

export const postmasterOf = ({dataFolder}: Pick<Sluice, 'dataFolder'>): number =>
  Number.parseInt(readFileSync(join(dataFolder, 'postgres', 'postmaster.pid'), 'utf8'), 10);

/** The postmaster first. */
export const postgresOf = (sluice: Pick<Sluice, 'dataFolder'>): number[] => {
  const postmaster = postmasterOf(sluice);
  return [postmaster, ...childrenOf(postmaster)];
};
