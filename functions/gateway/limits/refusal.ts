/**
Refusal: what a client is told whose request is over a limit: 429 with OpenAI's code and type, and when to come again.

In: the limit, what was asked of it, when it is there. Out: the error, and the headers beside it. A request that is larger than the
whole of a limit can never be let in; it is 429 as with OpenAI, and its client is told not to repeat it.
*/
import {SluiceError} from '../../../events/errors.ts';
import {duration} from './headers.ts';
import type {Refused} from './limit-book.ts';

const whatOf = {
  requests: 'requests a minute',
  tokens: 'tokens a minute',
  parallel: 'requests at once',
} as const;

export const errorOf = ({limit, amount, retryAfterMs}: Refused): SluiceError => {
  const openAiType = limit.unit === 'tokens' ? 'tokens' : 'requests';
  const what = `${whatOf[limit.unit]} of this ${limit.scope}`;
  if (retryAfterMs === undefined) {
    return new SluiceError(
      'rate_limit_exceeded',
      `the request is too large for the limit of ${what}: limit ${limit.capacity}, requested ${amount}; a shorter prompt or a lower max_tokens is needed`,
      {openAiType},
    );
  }
  return new SluiceError(
    'rate_limit_exceeded',
    `the limit of ${what} is reached: limit ${limit.capacity}, requested ${amount}; try again in ${duration(retryAfterMs)}`,
    {openAiType, retryAfterSeconds: Math.max(Math.ceil(retryAfterMs / 1_000), 1)},
  );
};

/** Headers that OpenAI's clients obey. */
export const setRetryHeaders = (
  response: {setHeader(name: string, value: string): unknown},
  {retryAfterMs}: Refused,
) => {
  if (retryAfterMs === undefined) {
    response.setHeader('x-should-retry', 'false');
  } else {
    response.setHeader('retry-after-ms', String(Math.max(retryAfterMs, 1)));
  }
};
