/**
Target: a receiver of deliveries, however it is reached: by its URL, or through the runner's gate of a function.

`send` never throws: what went wrong is an answer too.
*/
import {type Headers, toBinary} from '../codec.ts';
import type {Event} from '../event.ts';
import type {Answer} from './policy.ts';
import type {Post} from './post.ts';

export type Target = Readonly<{
  /** For logs and dead letters. */
  name: string;
  /** Where it was reached last, as far as that is known. */
  address(): string;
  send(request: {
    headers: Record<string, string>;
    body: Buffer | string;
    timeoutMs: number;
  }): Promise<Answer>;
}>;

export const targetAt = ({url, post}: {url: string; post: Post}): Target => ({
  name: withoutCredentials(url),
  address: () => withoutCredentials(url),
  send: request => post({url, ...request}),
});

const withoutCredentials = (url: string) => {
  const {origin, pathname} = new URL(url);
  return origin + pathname;
};

/** One event in binary mode, as Knative sends it. An event that cannot be written as a request throws. */
export const sendEvent = (
  target: Target,
  event: Event,
  {headers = {}, timeoutMs}: {headers?: Headers; timeoutMs: number},
): Promise<Answer> => {
  const {headers: binary, body} = toBinary(event);
  return target.send({
    headers: {...binary, ...(headers as Record<string, string>)},
    body,
    timeoutMs,
  });
};
