/**
Starts a simulated model server for one test and speaks to it. In: the test, options. Out: the server, and short ways to
post to it, to read a stream, and to wait for a condition.
*/
import type {ExecutionContext} from 'ava';
import {
  type SimulatedModelOptions,
  startSimulatedModel,
} from '../../knative/local/simulated-model/server.ts';

export type Usage = {prompt_tokens: number; completion_tokens: number; total_tokens: number};
export type Chunk = {
  model: string;
  choices: {
    index: number;
    delta?: {content?: string; role?: string};
    text?: string;
    finish_reason: string | null;
  }[];
  usage?: Usage;
};

export const startModel = async (t: ExecutionContext, options: SimulatedModelOptions = {}) => {
  const model = await startSimulatedModel(options);
  t.teardown(model.close);
  const post = (path: string, body: unknown, init: RequestInit = {}) =>
    fetch(model.url + path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
    });
  const postJson = async (path: string, body: unknown) => {
    const response = await post(path, body);
    return {status: response.status, body: JSON.parse(await response.text())};
  };
  return {...model, post, postJson};
};

export const chat = (extra: object = {}) => ({
  model: 'simulated-chat',
  messages: [{role: 'user', content: 'Say something.'}],
  ...extra,
});

/** The data lines of a finished stream, without the last one, and whether that was `[DONE]`. */
export const readStream = async (response: Response) => {
  const lines = (await response.text()).split('\n\n').filter(line => line.startsWith('data: '));
  const done = lines.at(-1) === 'data: [DONE]';
  const chunks = lines.slice(0, done ? -1 : undefined).map(line => JSON.parse(line.slice(6)));
  return {done, chunks: chunks as Chunk[]};
};

/** Looks every few milliseconds until it is so; the test's own time limit ends it otherwise. */
export const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5));
};
