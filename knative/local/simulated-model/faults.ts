/**
Faults: the ways in which the simulated server misbehaves when it is told to.

In: names, from the server's options or from the header `x-simulate`. Out: for those that replace the whole answer, the
answer; the others are looked up where they bite: `generate.ts` (mid-stream, huge chunk) and `usage.ts` (usage).
*/
import type {ServerResponse} from 'node:http';
import {badRequest} from './errors.ts';
import {sendText, writeHead} from './reply.ts';

export const faultNames = [
  'error-500',
  'error-503',
  'garbage',
  'garbage-stream',
  'hang',
  'hang-mid-stream',
  'reset',
  'reset-mid-stream',
  'slow-headers',
  'huge-chunk',
  'no-usage',
  'lying-usage',
  'negative-usage',
] as const;

export type Fault = (typeof faultNames)[number];
export type Faults = ReadonlySet<Fault>;

export const isFault = (name: string): name is Fault =>
  (faultNames as readonly string[]).includes(name);

/** `hang, no-usage` as a client writes it in the header. */
export const parseFaults = (header: string): Faults => {
  const names = header.split(',').map(name => name.trim());
  const faults = names.filter(isFault);
  if (faults.length === names.length) return new Set(faults);
  throw badRequest(`x-simulate must name faults out of: ${faultNames.join(', ')}.`);
};

const garbageStream = Buffer.concat([
  Buffer.from('data: {"id":"garbage","object":"chat.completion.chunk","choices":[{"index":0,'),
  Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]),
  Buffer.from('\n\ndata: not json at all\n\n: a comment\n\nno field name\r\n\r\ndata: {"choices"'),
]);

const failure = (status: number, type: string, message: string) =>
  JSON.stringify({error: {message, type, param: null, code: status}});

/** Gives the answer that a fault puts in place of the true one. False: there is no such fault, go on. */
export const replaceAnswer = (faults: Faults, response: ServerResponse) => {
  if (faults.has('reset')) response.socket?.resetAndDestroy();
  else if (faults.has('hang')) return true;
  else if (faults.has('error-500')) {
    const body = failure(500, 'InternalServerError', 'EngineCore encountered an issue.');
    sendText(response, 500, 'application/json', body);
  } else if (faults.has('error-503')) {
    const body = failure(503, 'ServiceUnavailable', 'The model server is overloaded.');
    sendText(response, 503, 'application/json', body, {'retry-after': '1'});
  } else if (faults.has('garbage')) {
    sendText(response, 200, 'application/json', '<html><body>not the JSON you expected');
  } else if (faults.has('garbage-stream')) {
    writeHead(response, 200, 'text/event-stream; charset=utf-8');
    response.end(garbageStream);
  } else return false;
  return true;
};
