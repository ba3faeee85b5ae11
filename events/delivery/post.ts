/**
Post: one HTTP request to a subscriber, and its answer in the words of the delivery policy.

In: where to, headers, body. Out: an answer, or why there was none. Never throws.
*/
import {type Dispatcher, request} from 'undici';
import {type Headers, readHttp} from '../codec.ts';
import type {Event} from '../event.ts';
import {limits} from '../limits.ts';
import type {Answer} from './policy.ts';

export type Post = (target: {
  url: string;
  headers: Record<string, string>;
  body: Buffer | string;
  timeoutMs: number;
}) => Promise<Answer>;

/** Of a refusal's body, what is kept as the reason. */
const detailBytes = 1_024;

export const createPost = (dispatcher: Dispatcher): Post =>
  async function post({url, headers, body, timeoutMs}) {
    try {
      const response = await request(url, {
        method: 'POST',
        headers,
        body,
        dispatcher,
        signal: AbortSignal.timeout(timeoutMs),
        headersTimeout: 0,
        bodyTimeout: 0,
      });
      const status = response.statusCode;
      const retryAfter = [response.headers['retry-after']].flat()[0];
      const succeeded = status >= 200 && status < 300;
      const received = await readUpTo(response.body, succeeded ? limits.bodyBytes : detailBytes);
      if (!succeeded) {
        return {
          kind: 'answer',
          status,
          body: 'other',
          retryAfter,
          detail: received.bytes.toString('utf8'),
        };
      }
      const reply = received.whole ? replyIn(response.headers, received.bytes) : undefined;
      const empty = received.bytes.length === 0;
      return {
        kind: 'answer',
        status,
        retryAfter,
        body: reply ? 'event' : empty ? 'empty' : 'other',
        ...(reply ? {reply} : {}),
      };
    } catch (error) {
      const {name, message, code} = error as Error & {code?: string};
      return {
        kind: 'none',
        reason:
          name === 'TimeoutError'
            ? `no answer within ${timeoutMs} ms`
            : `no answer: ${code ?? message}`,
      };
    }
  };

const readUpTo = async (stream: AsyncIterable<Buffer>, max: number) => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > max) {
      // Leaving the loop ends the connection: what follows is of no interest and has no bound.
      return {bytes: Buffer.concat(chunks).subarray(0, max), whole: false};
    }
  }
  return {bytes: Buffer.concat(chunks), whole: true};
};

/** A reply may have no body: in binary mode the headers alone are an event. */
const replyIn = (headers: Headers, body: Buffer): Event | undefined => {
  const isEvent =
    headers['ce-id'] !== undefined ||
    String(headers['content-type']).startsWith('application/cloudevents+');
  if (!isEvent) {
    return undefined;
  }
  try {
    const {events, batch} = readHttp(headers, body);
    return batch ? undefined : events[0];
  } catch {
    return undefined;
  }
};
