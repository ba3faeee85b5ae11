/**
Fetch, bounded: one request to a model server that ends in time and keeps no more than it may, whatever the server does.

In: where to and what. Out: status and body, or why there is none. Never throws; never follows a redirect.
*/
import {isClosing, requestOnce} from '../../events/request-once.ts';

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
};

const wordsFor = (error: Error & {code?: unknown}) => {
  if (isClosing(error)) {
    return 'connection closed in the middle';
  }
  const code = String(error.code ?? error.name);
  return Object.hasOwn(words, code) ? (words[code] as string) : `the request failed (${code})`;
};

export const createBoundedFetch = ({
  stepMs,
  bodyBytesMax,
}: {
  stepMs: number;
  bodyBytesMax: number;
}) =>
  async function fetchBounded(method: 'GET' | 'POST', url: string, body?: object): Promise<Answer> {
    const signal = AbortSignal.timeout(stepMs);
    let answered = false;
    try {
      const response = await requestOnce(url, {method, signal, headers: {accept: '*/*'}, body});
      answered = true;
      const parts: Buffer[] = [];
      let bytes = 0;
      for await (const part of response) {
        bytes += (part as Buffer).length;
        if (bytes > bodyBytesMax) {
          return {failed: `answered more than ${bodyBytesMax} bytes`, timedOut: false, answered};
        }
        parts.push(part as Buffer);
      }
      return {status: response.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8')};
    } catch (error) {
      return signal.aborted
        ? {failed: `no answer within ${stepMs / 1000} s`, timedOut: true, answered}
        : {failed: wordsFor(error as Error), timedOut: false, answered};
    }
  };

export type BoundedFetch = ReturnType<typeof createBoundedFetch>;
