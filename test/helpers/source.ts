/**
Source: `events/source/main.ts` as a process of its own, as a ContainerSource runs it, and a sink that notes what it gets.

In: the environment, how the sink answers. Out: the process, which may be killed and started again; what the sink got.
*/
import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import type {IncomingHttpHeaders, ServerResponse} from 'node:http';
import {createInterface} from 'node:readline';
import type {Readable} from 'node:stream';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {readHttp} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {createHttpTestServer} from './http.ts';

const program = fileURLToPath(new URL('../../events/source/main.ts', import.meta.url));

export type SourceProcess = Readonly<{
  url: string;
  lines: readonly string[];
  process: ChildProcess;
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit status. */
  stop(): Promise<number | null>;
}>;

/** Resolves when it listens. */
export const startSourceProcess = async (
  t: Pick<ExecutionContext, 'teardown'>,
  environment: Readonly<Record<string, string>>,
): Promise<SourceProcess> => {
  const child = spawn(process.execPath, [program], {
    env: {PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'info', ...environment},
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({input: stream as Readable}).on('line', line => lines.push(line));
  }
  const ended = once(child, 'close') as Promise<[number | null]>;
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return (await ended)[0];
  };
  t.teardown(() => end('SIGKILL'));
  const listening = (async () => {
    for await (const [message] of on(child)) {
      const port = (message as {listening?: unknown}).listening;
      if (typeof port === 'number') {
        return port;
      }
    }
    throw new Error('it ended');
  })();
  const port = await Promise.race([
    listening,
    ended.then(([code]) => {
      throw new Error(`the source ended with ${code}:\n${lines.join('\n')}`);
    }),
  ]);
  return {
    url: `http://127.0.0.1:${port}`,
    lines,
    process: child,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
  };
};

async function* on(child: ChildProcess): AsyncGenerator<[unknown]> {
  for (;;) {
    yield (await once(child, 'message')) as [unknown];
  }
}

export type SinkRequest = Readonly<{
  headers: IncomingHttpHeaders;
  batch: boolean;
  events: readonly Event[];
}>;

/** Answers 204 where `answer` answers nothing. */
export const startSink = async (
  t: Pick<ExecutionContext, 'teardown'>,
  answer: (request: SinkRequest, response: ServerResponse) => unknown = () => {},
) => {
  const requests: SinkRequest[] = [];
  const server = await createHttpTestServer(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const one = {headers: request.headers, ...readHttp(request.headers, Buffer.concat(chunks))};
    requests.push(one);
    await answer(one, response);
    if (!response.headersSent && !response.destroyed) {
      response.writeHead(204).end();
    }
  });
  return {
    url: server.url,
    requests,
    ids: () => requests.flatMap(({events}) => events.map(({id}) => id)),
  };
};
