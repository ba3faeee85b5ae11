/**
Crowd: thousands of clients with a stream each, in a process of their own, so that neither the test nor what it tests pays for them.

In: the test. Out: ways to open streams, to cut them at random moments, and to see what has come.
*/
import {fork} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';

const program = fileURLToPath(new URL('crowd-child.ts', import.meta.url));

/** `whole`: to the last byte; `cut`: by the client; `broken`: by the other side, before its end. */
export type CrowdStream = Readonly<{
  status: number;
  request: string;
  tokens: number;
  how: 'open' | 'whole' | 'cut' | 'broken';
}>;

type Messages = {
  open: {url: string; apiKey: string; model: string; maxTokens: readonly number[]};
  cut: {from: number; to: number; withinMs: number};
  look: object;
};
export type CrowdMessage<What extends keyof Messages = keyof Messages> = {
  [Each in What]: Readonly<{what: Each} & Messages[Each]>;
}[What];

export const startCrowd = (t: Pick<ExecutionContext, 'teardown'>) => {
  const child = fork(program, {stdio: ['ignore', 'ignore', 2, 'ipc']});
  t.teardown(() => child.kill('SIGKILL'));
  const waiting = new Map<number, (answer: never) => void>();
  let questions = 0;
  child.on('message', ({ask, answer}: {ask: number; answer: never}) => {
    waiting.get(ask)?.(answer);
    waiting.delete(ask);
  });
  const ask = <Answer>(message: CrowdMessage) =>
    new Promise<Answer>(resolve => {
      questions += 1;
      waiting.set(questions, resolve);
      child.send({ask: questions, ...message});
    });
  return {
    pid: child.pid as number,
    /** One stream for each maximum, in their order. Resolves when all have their first byte. */
    open: (message: Messages['open']) => ask<void>({what: 'open', ...message}),
    /** Resolves when the last one went. */
    cut: (from: number, to: number, withinMs: number) =>
      ask<void>({what: 'cut', from, to, withinMs}),
    look: () => ask<CrowdStream[]>({what: 'look'}),
  };
};
