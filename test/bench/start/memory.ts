/**
Memory: what each function holds after a hundred of its own main events and half a minute of rest, beside a bare `node:http` hello after as
many requests.

In: rows, the folder of the image's `/app`. Out: resident memory, as a multiple of bare. All of them are asked and rest at the same time.
*/
import {spawn} from 'node:child_process';
import {setTimeout as wait} from 'node:timers/promises';
import {residentBytesOf} from '../cpu.ts';
import {rounded} from '../figures.ts';
import type {Asked, Row} from './functions.ts';
import {ask, end} from './once.ts';

/** Of the resident memory of bare. */
export const memoryBudget = 1.6;
const events = 100;
const restMs = 30_000;

export type Held = Readonly<{name: string; residentMiB: number; times: number}>;

type Candidate = Readonly<{
  name: string;
  /** Of Node. */
  args: readonly string[];
  environment: Readonly<Record<string, string>>;
  next: () => Promise<Asked>;
}>;

const residentAfter = async (
  {name, args, environment, next}: Candidate,
  port: number,
): Promise<number> => {
  const child = spawn(process.execPath, args, {
    env: {PATH: process.env.PATH, ...environment, PORT: String(port)},
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    log = (log + text).slice(-4_096);
  });
  try {
    for (let handled = 0; handled < events; ) {
      const answer = await ask(port, await next());
      // Eleven that start at once may keep a database waiting: 503 is to be tried again.
      const isHandled = answer !== undefined && answer.status !== 503;
      if (isHandled && (answer.status < 200 || answer.status > 299)) {
        throw new Error(`${name} answered ${answer.status}: ${answer.text}\n${log}`);
      }
      if (child.exitCode !== null) {
        throw new Error(`${name} ended with ${child.exitCode}: ${log}`);
      }
      if (isHandled) {
        handled += 1;
      } else {
        await wait(50);
      }
    }
    await wait(restMs);
    return residentBytesOf(child.pid as number) / 2 ** 20;
  } finally {
    await end(child);
  }
};

export const measureMemory = async ({
  rows,
  bareFile,
  argsOf,
  environment,
  firstPort,
}: {
  rows: readonly Row[];
  bareFile: string;
  argsOf: (name: string) => readonly string[];
  /** Of the image. */
  environment: Readonly<Record<string, string>>;
  firstPort: number;
}): Promise<readonly Held[]> => {
  const bare: Candidate = {
    name: 'bare',
    args: [bareFile],
    environment: {},
    next: async () => ({method: 'GET', path: '/', headers: {}, body: ''}),
  };
  const candidates = [
    bare,
    ...rows.map(row => ({
      name: row.name,
      args: argsOf(row.name),
      environment: {...environment, ...row.environment},
      next: row.next,
    })),
  ];
  const settled = await Promise.allSettled(
    candidates.map((candidate, index) => residentAfter(candidate, firstPort + index)),
  );
  // None of the processes is left by now, whatever became of one of them.
  const held = settled.map(each => {
    if (each.status === 'rejected') {
      throw each.reason;
    }
    return each.value;
  });
  const least = held[0] as number;
  return candidates.map(({name}, index) => ({
    name,
    residentMiB: rounded(held[index] as number, 1),
    times: rounded((held[index] as number) / least, 2),
  }));
};
