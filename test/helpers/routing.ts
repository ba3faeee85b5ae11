/**
Routing: models, and a router whose time the test passes.

In: endpoints, servers that are there or not. Out: a router, and what it decided. Nothing here waits for the real clock.
*/
import {createAsk} from '../../functions/gateway/routing/ask.ts';
import type {After} from '../../functions/gateway/routing/load-watch.ts';
import type {Place, Unplaced, Waiting} from '../../functions/gateway/routing/place.ts';
import {createRouter} from '../../functions/gateway/routing/router.ts';
import type {EndpointEntry, ModelEntry} from '../../functions/registry/catalogue.ts';
import {randomFrom} from '../chaos/random.ts';

export const createVirtualTime = () => {
  let now = 1_000_000;
  const timers = new Set<{atMs: number; run: () => void}>();
  const after: After = (ms, run) => {
    const timer = {atMs: now + ms, run};
    timers.add(timer);
    return () => timers.delete(timer);
  };
  const nextBefore = (untilMs: number) => {
    let first: {atMs: number; run: () => void} | undefined;
    for (const timer of timers) {
      first = timer.atMs <= untilMs && (!first || timer.atMs < first.atMs) ? timer : first;
    }
    return first;
  };
  return {
    nowMs: () => now,
    after,
    /** Without letting promises go on: for what is at once. */
    jump(ms: number) {
      now += ms;
    },
    /** Promises go on between two timers. */
    async pass(ms: number) {
      const untilMs = now + ms;
      for (let timer = nextBefore(untilMs); timer; timer = nextBefore(untilMs)) {
        timers.delete(timer);
        now = Math.max(now, timer.atMs);
        timer.run();
        await settled();
      }
      now = untilMs;
      await settled();
    },
    timers: () => timers.size,
  };
};

export type VirtualTime = ReturnType<typeof createVirtualTime>;

/** Until promises that only wait for promises have gone on. */
export const settled = () => new Promise<void>(resolve => setImmediate(resolve));

export const endpointOf = (id: string, more: Partial<EndpointEntry> = {}): EndpointEntry => ({
  id,
  url: `http://${id}.invalid`,
  upstreamModel: 'llama',
  usage: 'none',
  tokenize: false,
  health: 'healthy',
  ...more,
});

export const modelOf = (
  endpoints: readonly EndpointEntry[],
  more: Partial<ModelEntry> = {},
): ModelEntry => ({
  id: 'model-1',
  name: 'llama',
  environment: 'development',
  status: 'ready',
  contextLength: 1_000,
  defaultMaxTokens: 100,
  tokensPerByteMax: 1,
  priceVersion: 1,
  price: {kind: 'free'} as unknown as ModelEntry['price'],
  endpoints,
  ...more,
});

export const isPlace = (found: Place | Unplaced | Waiting): found is Place => 'endpoint' in found;
export const isWaiting = (found: Place | Unplaced | Waiting): found is Waiting => 'placed' in found;

/** A router in virtual time. `up`: URLs whose servers answer when they are asked whether they are there. */
export const virtualRouter = ({
  queueMax = 1_000,
  queueMs = 10_000,
  gateways = () => 1,
  current = model => model,
  seed = 1,
}: {
  queueMax?: number;
  queueMs?: number;
  gateways?: () => number;
  current?: (model: ModelEntry) => ModelEntry;
  seed?: number;
} = {}) => {
  const time = createVirtualTime();
  const up = new Set<string>();
  const probed: string[] = [];
  const metrics = new Map<string, string>();
  const waited: {model: string; seconds: number}[] = [];
  const router = createRouter({
    limits: {queueMax, queueMs},
    gateways,
    current,
    random: randomFrom(seed),
    nowMs: time.nowMs,
    after: time.after,
    asker: {
      ...createAsk(),
      ask: async url => {
        const text = metrics.get(url);
        return text === undefined ? undefined : {status: 200, contentType: 'text/plain', text};
      },
    },
    async probe(url) {
      probed.push(url);
      return up.has(url);
    },
    onWaited: (model, seconds) => waited.push({model, seconds}),
  });
  const acquire = (
    model: ModelEntry,
    {
      organisation = 'one',
      tried = [],
      withinMs = 60_000,
    }: {organisation?: string; tried?: readonly string[]; withinMs?: number} = {},
  ) => router.acquire({model, organisation, tried, untilMs: time.nowMs() + withinMs});
  const place = (...asked: Parameters<typeof acquire>): Place => {
    const found = acquire(...asked);
    if (!isPlace(found)) {
      throw new Error(`expected a place, got ${JSON.stringify(found)}`);
    }
    return found;
  };
  const wait = (...asked: Parameters<typeof acquire>): Waiting => {
    const found = acquire(...asked);
    if (!isWaiting(found)) {
      throw new Error(`expected a wait, got ${JSON.stringify(found)}`);
    }
    return found;
  };
  const fail = (model: ModelEntry, times: number) => {
    for (let count = 0; count < times; count += 1) {
      place(model).end('failed');
    }
  };
  return {router, time, up, probed, metrics, waited, acquire, place, wait, fail};
};

/** What a wait came to, if it came to anything yet. */
export const watch = ({placed}: Waiting) => {
  const seen: {result: Place | Unplaced | undefined} = {result: undefined};
  void placed.then(result => {
    seen.result = result;
  });
  return seen;
};

export const why = (found: Place | Unplaced | Waiting | undefined) =>
  found !== undefined && 'why' in found ? found.why : undefined;
