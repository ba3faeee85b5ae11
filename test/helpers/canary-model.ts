/**
Canary model: a model server that says what it was told, also where it fails.

In: the test, what it adds to every answer. Out: its URL. The field `fault` of a request's body says how it fails: whatever it is,
prompt and answer are in what it sends.
*/
import type {IncomingMessage, ServerResponse} from 'node:http';
import type {ExecutionContext} from 'ava';
import {createHttpTestServer} from './http.ts';

export const faults = [
  'error-400',
  'error-422',
  'error-500',
  'error-503',
  'garbage',
  'garbage-stream',
  'error-in-stream',
  'broken-http',
  'reset-mid-stream',
  'hang-mid-stream',
] as const;
type Fault = (typeof faults)[number];

type Body = {model?: string; stream?: boolean; fault?: Fault};

/** By the names of every form. */
const usage = {
  prompt_tokens: 9,
  completion_tokens: 3,
  total_tokens: 12,
  input_tokens: 9,
  output_tokens: 3,
};

const readText = async (request: IncomingMessage) => {
  const parts: Buffer[] = [];
  for await (const part of request) {
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('utf8');
};

const chunkOf = (text: string, more: object = {}) =>
  `data: ${JSON.stringify({
    id: text,
    object: 'chat.completion.chunk',
    choices: [{index: 0, delta: {content: text}, text, finish_reason: null}],
    ...more,
  })}\n\n`;

const sendJson = (response: ServerResponse, status: number, body: unknown) => {
  response.writeHead(status, {'content-type': 'application/json'});
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
};

/** True: it failed as it was told. */
const fail = (response: ServerResponse, fault: Fault | undefined, said: string): boolean => {
  const [, status] = /^error-(\d+)$/.exec(fault ?? '') ?? [];
  if (status !== undefined) {
    sendJson(response, Number(status), {
      error: {message: `refused: ${said}`, type: said, code: said},
    });
    return true;
  }
  switch (fault) {
    case 'garbage':
      sendJson(response, 200, `${said} is no JSON`);
      return true;
    case 'broken-http':
      response.socket?.end(
        `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${said}\r\n${said}\r\n`,
      );
      return true;
    case 'garbage-stream':
    case 'error-in-stream':
    case 'reset-mid-stream':
    case 'hang-mid-stream':
      response.writeHead(200, {'content-type': 'text/event-stream'});
      response.write(chunkOf(said));
      if (fault === 'garbage-stream') {
        response.end(`data: {"choices": ${said}\n\n${said}`);
      } else if (fault === 'error-in-stream') {
        response.end(`data: {"error": {"message": "${said}", "code": 500}}\n\n`);
      } else if (fault === 'reset-mid-stream') {
        response.write(chunkOf(said), () => response.socket?.resetAndDestroy());
      }
      return true;
    default:
      return false;
  }
};

const answer = (response: ServerResponse, path: string, {stream, fault}: Body, said: string) => {
  if (fail(response, fault, said)) {
    return;
  }
  if (path === '/v1/embeddings') {
    sendJson(response, 200, {
      object: 'list',
      data: [{object: 'embedding', index: 0, embedding: [0.5]}],
      said,
      usage: {prompt_tokens: 9, total_tokens: 9},
    });
  } else if (stream) {
    response.writeHead(200, {'content-type': 'text/event-stream'});
    response.write(chunkOf(said, {usage}));
    response.end(`${chunkOf('', {choices: [], usage})}data: [DONE]\n\n`);
  } else {
    const choice = {index: 0, message: {role: 'assistant', content: said}, text: said};
    sendJson(response, 200, {
      id: path,
      content: [{type: 'text', text: said}],
      choices: [{...choice, finish_reason: 'stop'}],
      usage,
    });
  }
};

export const startCanaryModel = async (
  t: Pick<ExecutionContext, 'teardown'>,
  {name, answers}: {name: string; answers: string},
) => {
  const {url} = await createHttpTestServer(t, async (request, response) => {
    const path = request.url ?? '';
    if (path === '/v1/models') {
      sendJson(response, 200, {data: [{id: name, max_model_len: 4_096}]});
    } else if (path === '/health') {
      response.end();
    } else if (path.startsWith('/v1/')) {
      const text = await readText(request);
      answer(
        response,
        path,
        JSON.parse(text) as Body,
        `${answers} to ${text.replaceAll('"', "'")}`,
      );
    } else {
      sendJson(response, 404, {error: {message: 'not here'}});
    }
  });
  return {url};
};
