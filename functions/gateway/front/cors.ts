/**
CORS: which web pages may call the gateway from a browser, by their origin.

In: the list of origins; a request. Out: the headers that let the browser show the answer to the page, and the answer to what it asks
before (Fetch, 3.2). Nothing is ever said of credentials: a key is sent by the page that has it, and there are no cookies.
*/
import {ConfigError} from '../../../events/config.ts';
import {SluiceError} from '../../../events/errors.ts';
import type {GatewayRequest} from '../http/request.ts';
import type {GatewayResponse} from '../http/response.ts';

/** What a page may read beside the body. By name, because a request with a key does not count as one that `*` is for. */
export const exposedHeaders = [
  'x-request-id',
  'request-id',
  'x-sluice-model',
  'x-sluice-max-tokens',
  'x-sluice-budget-remaining-usd',
  'x-sluice-budget-remaining-tokens',
  'x-sluice-idempotency',
  ...['requests', 'tokens'].flatMap(unit => [
    `x-ratelimit-limit-${unit}`,
    `x-ratelimit-remaining-${unit}`,
    `x-ratelimit-reset-${unit}`,
  ]),
  'ratelimit',
  'ratelimit-policy',
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
];
const exposed = exposedHeaders.join(', ');

/** Chromium keeps no answer for longer. */
const preflightSeconds = '7200';

export const checkOrigins = (origins: readonly string[], environment: string) => {
  if (origins.includes('*') && environment === 'production') {
    throw new ConfigError([
      'CORS_ORIGINS: expected a list of origins, got "*": in production every page that may call is named',
    ]);
  }
};

export const createCors = (origins: readonly string[] = []) => {
  const listed = new Set(origins);
  const everyone = listed.has('*');
  const isListed = (origin: string) => everyone || listed.has(origin);

  return {
    /** For every answer, since a page is to read refusals too. */
    mark({headers: {origin}}: GatewayRequest, response: GatewayResponse) {
      if (listed.size === 0) {
        return;
      }
      response.setHeader('vary', 'origin');
      if (origin !== undefined && isListed(origin)) {
        response.setHeader('access-control-allow-origin', everyone ? '*' : origin);
        response.setHeader('access-control-expose-headers', exposed);
      }
    },
    /** Whether it was one. What a page may not send is refused by the route, not here: the list is of pages. */
    answerPreflight(request: GatewayRequest, response: GatewayResponse, method: string): boolean {
      const {origin, 'access-control-request-headers': wanted} = request.headers;
      const isPreflight =
        request.method === 'OPTIONS' &&
        origin !== undefined &&
        request.headers['access-control-request-method'] !== undefined;
      if (!isPreflight || listed.size === 0) {
        return false;
      }
      if (!isListed(origin)) {
        throw new SluiceError('forbidden', 'pages of this origin may not call the gateway');
      }
      response.writeHead(204, {
        'access-control-allow-methods': method,
        ...(wanted === undefined ? {} : {'access-control-allow-headers': wanted}),
        'access-control-max-age': preflightSeconds,
      });
      response.end();
      return true;
    },
  };
};

export type Cors = ReturnType<typeof createCors>;
