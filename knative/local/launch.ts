/**
Launch: one life of a child process, from its first line of output to its last.

In: a program and its environment. Out: the process, where it listens when it says so (`{listening: port}` on the IPC
channel), and why it ended. When the runner dies the channel closes and the child ends itself.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {createInterface} from 'node:readline';
import type {Readable} from 'node:stream';
import {fileURLToPath} from 'node:url';

export type End = Readonly<{how: string; lastLines: readonly string[]}>;

export type Launched = Readonly<{
  process: ChildProcess;
  /** Resolves after its last line of output. */
  ended: Promise<End>;
}>;

const leash = fileURLToPath(new URL('./leash.ts', import.meta.url));
const keptLines = 10;

export const launch = ({
  name,
  program,
  env,
  onLine,
  startTimeoutMs,
  onListening,
}: {
  name: string;
  program: string;
  env: Readonly<Record<string, string>>;
  onLine: (name: string, line: string) => void;
  startTimeoutMs: number;
  onListening: (port: number) => void;
}): Launched => {
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
  return {process: child, ended};
};
