/**
Child: a process of the bench: started with a channel, ready when it says where it listens, stopped by SIGTERM.

In: a program and its arguments, its environment, where its output goes. Out: its port and id; its end before it listened is an error.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';

export type Child = Readonly<{
  process: ChildProcess;
  pid: number;
  url: string;
  stop(): Promise<void>;
}>;

const stopMs = 10_000;

export const startChild = async ({
  program,
  programArguments = [],
  environment = {},
  nodeArguments = [],
  output = 'inherit',
}: {
  program: string;
  programArguments?: readonly string[];
  environment?: Readonly<Record<string, string>>;
  nodeArguments?: readonly string[];
  /** A file's descriptor. */
  output?: number | 'inherit';
}): Promise<Child> => {
  const child = spawn(process.execPath, [...nodeArguments, program, ...programArguments], {
    // Only what is named: what the bench measures must not hang on somebody's environment.
    env: {PATH: process.env.PATH, NODE_ENV: 'production', ...environment},
    stdio: ['ignore', 'ignore', output, 'ipc'],
  });
  const exited = once(child, 'exit');
  const listening = once(child, 'message').then(([message]) => message as {listening: number});
  const first = await Promise.race([listening, exited.then(([code]) => ({code}))]);
  if (!('listening' in first)) {
    throw new Error(`${program} ended with ${first.code} before it listened`);
  }
  return {
    process: child,
    pid: child.pid as number,
    url: `http://127.0.0.1:${first.listening}`,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        const hard = setTimeout(() => child.kill('SIGKILL'), stopMs);
        await exited;
        clearTimeout(hard);
      }
    },
  };
};
