/**
Request, once: one HTTP request on a connection of its own, for what is asked now and then: between two of them an idle connection would
break, or be in the way of a server that stops.

In: where to and what. Out: the answer with its body to be read, or an error. Never follows a redirect. With Node's own client, which every
function has in it: another is loaded in more time than a function that starts from zero may take.
*/
import {type IncomingMessage, request as requestHttp} from 'node:http';

export type Sent = Readonly<{
  method?: 'GET' | 'POST';
  signal: AbortSignal;
  headers: Readonly<Record<string, string>>;
  body?: object | undefined;
  /** Certificates to trust instead of those that everybody does. */
  ca?: string | undefined;
}>;

/** TLS is loaded where a server has it. */
const requestTo = async (url: string) =>
  url.startsWith('https:') ? (await import('node:https')).request : requestHttp;

export const requestOnce = async (
  url: string,
  {method = 'GET', signal, headers, body, ca}: Sent,
): Promise<IncomingMessage> => {
  const request = await requestTo(url);
  return new Promise((resolve, reject) => {
    request(
      url,
      {
        method,
        signal,
        agent: false,
        headers: {...headers, ...(body ? {'content-type': 'application/json'} : {})},
        ...(ca === undefined ? {} : {ca}),
      },
      resolve,
    )
      .on('error', reject)
      .end(body && JSON.stringify(body));
  });
};

/** Node gives these the code of a reset, though the server closed in good order: before its answer, within it. */
const closings = new Set(['socket hang up', 'aborted']);

export const isClosing = (error: Error) => closings.has(error.message);
