/**
Ask: a small question to a model server, beside all requests: what it has to do, whether it is there.

In: a URL. Out: its answer, or undefined; never an error. Time and size are bounded, and its connections are its own: a server that does not
answer here holds no request up.
*/
import {Agent} from 'undici';

export type Answer = Readonly<{status: number; contentType: string; text: string}>;
export type Ask = (url: string) => Promise<Answer | undefined>;

export const createAsk = ({
  timeoutMs = 5_000,
  bodyBytesMax = 1024 * 1024,
}: {
  /** Of the whole call. */
  timeoutMs?: number;
  bodyBytesMax?: number;
} = {}) => {
  let agent: Agent | undefined;
  return {
    async ask(url: string): Promise<Answer | undefined> {
      agent ??= new Agent({
        connections: 2,
        maxResponseSize: bodyBytesMax,
        connect: {timeout: timeoutMs},
        keepAliveTimeout: 5_000,
      });
      try {
        const {origin, pathname} = new URL(url);
        const {statusCode, headers, body} = await agent.request({
          origin,
          path: pathname,
          method: 'GET',
          signal: AbortSignal.timeout(timeoutMs),
        });
        const text = await body.text();
        return {status: statusCode, contentType: String(headers['content-type'] ?? ''), text};
      } catch {
        return undefined;
      }
    },
    close: () => void agent?.destroy().catch(() => {}),
  };
};
