/**
Model process: a model server that a test can kill, and ask what it sent.

In: the test, the simulated server's options. Out: its URL, its counters, new settings for it, its end.
*/
import {fork} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import type {
  Counters,
  ModelCounters,
  RequestCounters,
} from '../../knative/local/simulated-model/metrics.ts';
import type {SimulatedModelOptions} from '../../knative/local/simulated-model/server.ts';

const program = fileURLToPath(new URL('model-child.ts', import.meta.url));

export type ModelProcess = Awaited<ReturnType<typeof startModelProcess>>;

export const startModelProcess = async (
  t: Pick<ExecutionContext, 'teardown'>,
  options: SimulatedModelOptions = {},
) => {
  const child = fork(program, [JSON.stringify(options)], {stdio: ['ignore', 'ignore', 2, 'ipc']});
  const exited = once(child, 'exit');
  t.teardown(() => child.kill('SIGKILL'));
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  const waiting = new Map<number, (answer: never) => void>();
  child.on('message', (message: {ask: number; answer: never}) => {
    waiting.get(message.ask)?.(message.answer);
    waiting.delete(message.ask);
  });
  let questions = 0;
  const ask = <Answer>(question: object) =>
    new Promise<Answer>(resolve => {
      questions += 1;
      waiting.set(questions, resolve);
      child.send({ask: questions, ...question});
    });
  return {
    url: `http://127.0.0.1:${listening}`,
    port: listening,
    pid: child.pid as number,
    counters: () => ask<Counters & ModelCounters>({what: 'counters'}),
    /** In the order of the ids; null: it never saw that request. */
    requestCounters: (ids: readonly string[]) =>
      ask<(RequestCounters | null)[]>({what: 'requests', ids}),
    set: (settings: SimulatedModelOptions) => void child.send({set: settings}),
    /** SIGKILL: what it had not handed to its connections is lost. */
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
};
