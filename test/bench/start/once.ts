/**
Once: one start: a process, until its first answer.

In: a command, its environment, what it is asked. Out: milliseconds from the spawn until the answer is whole, the CPU time of the process
by then. Asked again and again, a millisecond apart, as Knative's queue-proxy looks for a port that opens.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';
import {request} from 'node:http';
import {setTimeout as wait} from 'node:timers/promises';
import {residentBytesOf} from '../cpu.ts';
import type {Asked} from './functions.ts';

export type Start = Readonly<{wallMs: number; cpuMs: number; residentMiB: number}>;

/** Nanoseconds on a processor, of each thread: ticks of 10 ms would be a third of what is measured. */
const cpuMsOf = (pid: number) =>
  readdirSync(`/proc/${pid}/task`).reduce(
    (sum, thread) =>
      sum + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]),
    0,
  ) / 1e6;

type Answer = Readonly<{status: number; text: string}>;

/** Undefined while nobody listens. */
export const ask = (
  port: number,
  {method, path, headers, body}: Asked,
): Promise<Answer | undefined> =>
  new Promise((resolve, reject) => {
    const sending = request({host: '127.0.0.1', port, method, path, headers, agent: false});
    sending.on('response', response => {
      let text = '';
      response.setEncoding('utf8').on('data', part => {
        text += part;
      });
      response.on('end', () => resolve({status: response.statusCode ?? 0, text}));
    });
    sending.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNREFUSED' ? resolve(undefined) : reject(error),
    );
    sending.end(body);
  });

export const end = async (child: ChildProcess) => {
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(hard);
  }
};

export const startOnce = async ({
  args,
  environment,
  port,
  asked,
}: {
  /** Of Node. */
  args: readonly string[];
  environment: Readonly<Record<string, string>>;
  port: number;
  asked: Asked;
}): Promise<Start> => {
  const began = performance.now();
  const child = spawn(process.execPath, args, {
    env: {PATH: process.env.PATH, NODE_ENV: 'production', PORT: String(port), ...environment},
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', text => {
    log += text;
  });
  try {
    for (;;) {
      if (child.exitCode !== null) {
        throw new Error(`${args.join(' ')} ended with ${child.exitCode}: ${log}`);
      }
      const answer = await ask(port, asked);
      if (answer) {
        const wallMs = performance.now() - began;
        const pid = child.pid as number;
        const taken = {
          wallMs,
          cpuMs: cpuMsOf(pid),
          residentMiB: residentBytesOf(pid) / 2 ** 20,
        };
        if (answer.status < 200 || answer.status > 299) {
          throw new Error(`${args.join(' ')} answered ${answer.status}: ${answer.text}\n${log}`);
        }
        return taken;
      }
      await wait(1);
    }
  } finally {
    await end(child);
  }
};
