/**
Route: which of a model's endpoints a request goes to.

Healthy before unknown before unhealthy; among equals the one with the fewest requests of this process in flight. An
unhealthy one is still tried when there is no other: what we know of it may be old.
*/
import type {ModelEntry} from '../../registry/catalogue.ts';

type Endpoint = ModelEntry['endpoints'][number];

const rank = {healthy: 0, unknown: 1, unhealthy: 2} as const;

export const createRouter = () => {
  const inFlight = new Map<string, number>();
  const count = (url: string) => inFlight.get(url) ?? 0;
  return {
    choose(endpoints: readonly Endpoint[]): Endpoint | undefined {
      let best: Endpoint | undefined;
      for (const endpoint of endpoints) {
        const better =
          best === undefined ||
          rank[endpoint.health] < rank[best.health] ||
          (rank[endpoint.health] === rank[best.health] && count(endpoint.url) < count(best.url));
        best = better ? endpoint : best;
      }
      return best;
    },
    begin: (url: string) => inFlight.set(url, count(url) + 1),
    end(url: string) {
      if (count(url) <= 1) {
        inFlight.delete(url);
      } else {
        inFlight.set(url, count(url) - 1);
      }
    },
    inFlight: () => [...inFlight.values()].reduce((sum, value) => sum + value, 0),
  };
};

export type Router = ReturnType<typeof createRouter>;
