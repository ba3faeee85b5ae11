/**
Fetch, bounded: one request to a model server that ends in time and keeps no more than it may, whatever the server does.

In: where to and what. Out: status and body, or why there is none. Never throws; never follows a redirect.
*/
import {type Dispatcher, request} from 'undici';

export type Answer = Readonly<
  | {status: number; text: string}
  /** `answered`: somebody was there, and the fault came later. */
  | {failed: string; timedOut: boolean; answered: boolean}
>;

/** What a person is told of the faults that happen most. */
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name could not be looked up',
  UND_ERR_SOCKET: 'connection closed in the middle',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
};

export const createBoundedFetch = ({
  stepMs,
  bodyBytesMax,
  dispatcher,
}: {
  stepMs: number;
  bodyBytesMax: number;
  dispatcher?: Dispatcher;
}) =>
  async function fetchBounded(method: 'GET' | 'POST', url: string, body?: object): Promise<Answer> {
    const signal = AbortSignal.timeout(stepMs);
    let answered = false;
    try {
      const response = await request(url, {
        method,
        signal,
        dispatcher,
        // One probe now and then: an idle connection would only be in the way of a server that stops.
        reset: true,
        headers: {accept: '*/*', ...(body ? {'content-type': 'application/json'} : {})},
        body: body ? JSON.stringify(body) : null,
      });
      answered = true;
      const parts: Buffer[] = [];
      let bytes = 0;
      for await (const part of response.body) {
        bytes += (part as Buffer).length;
        if (bytes > bodyBytesMax) {
          return {failed: `answered more than ${bodyBytesMax} bytes`, timedOut: false, answered};
        }
        parts.push(part as Buffer);
      }
      return {status: response.statusCode, text: Buffer.concat(parts).toString('utf8')};
    } catch (error) {
      const code = String((error as {code?: unknown}).code ?? (error as Error).name);
      return signal.aborted
        ? {failed: `no answer within ${stepMs / 1000} s`, timedOut: true, answered}
        : {
            failed: Object.hasOwn(words, code)
              ? (words[code] as string)
              : `the request failed (${code})`,
            timedOut: false,
            answered,
          };
    }
  };

export type BoundedFetch = ReturnType<typeof createBoundedFetch>;
