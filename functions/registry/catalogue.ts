/**
Catalogue: the models of one environment as a process knows them. The gateway imports it and asks it at every request.

In: a loader, and the word that something changed. Out: a model by name, at once and without a call. The last good snapshot
is served while the next is loaded and as long as loading fails (stale-serving): an old price list is better than none, and
the leases bound what it can cost. Only models that may be routed to are found.
*/
import {limits} from '../../events/limits.ts';
import type {Price} from '../../events/price.ts';
import type {Rates} from '../../events/rates.ts';

export type Environment = 'development' | 'staging' | 'production';

export type EndpointEntry = Readonly<{
  id: string;
  /** Without `/v1` and without a slash at its end. */
  url: string;
  /** The name under which the server behind the URL knows the model. */
  upstreamModel: string;
  /** Where a streamed answer reports usage; `none` also where nobody has found out. */
  usage: 'every-chunk' | 'last-chunk' | 'none';
  tokenize: boolean;
  health: 'unknown' | 'healthy' | 'unhealthy';
  /** Requests that it takes at once, of all gateways together; absent: without a bound. */
  maxConcurrency?: number;
}>;

export type ModelEntry = Readonly<{
  id: string;
  name: string;
  environment: Environment;
  status: 'registered' | 'ready' | 'disabled';
  contextLength: number;
  defaultMaxTokens: number;
  tokensPerByteMax: number;
  priceVersion: number;
  price: Price;
  /** What everybody together may use of it; absent: without a limit. */
  rates?: Rates;
  /** It scales to zero and needs at most so long to start; absent: it runs always. */
  startSeconds?: number;
  /** Names of models of this environment, tried in this order when no endpoint takes the request; one may not exist. */
  fallbacks?: readonly string[];
  /** The most that a client may ask for as max_tokens; absent: the context. */
  maxOutputTokens?: number;
  endpoints: readonly EndpointEntry[];
}>;

/**
`loadedAt` is undefined before the first load; `stale` says that what is served may be out of date, `failing` that the last load failed.
*/
export type CatalogueState = Readonly<{
  loadedAt: number | undefined;
  stale: boolean;
  failing: boolean;
}>;

export const createCatalogue = ({
  load,
  environment,
  maxAgeMs = limits.modelCacheMs,
  retryMs = 1_000,
  now = Date.now,
  onError = () => {},
}: {
  load: () => Promise<readonly ModelEntry[]>;
  environment: Environment;
  maxAgeMs?: number;
  /** After a load that failed, this long before a look-up starts the next. */
  retryMs?: number;
  now?: () => number;
  onError?: (error: Error) => void;
}) => {
  let models: ReadonlyMap<string, ModelEntry> = new Map();
  let loadedAt: number | undefined;
  /** Grows with every invalidation; what was asked for before the last one may miss what it was about. */
  let generation = 0;
  let loadedGeneration = -1;
  let loadingGeneration = -1;
  let retryAt = Number.NEGATIVE_INFINITY;
  let failing = false;
  let loading: Promise<void> | undefined;
  let following: Promise<void> | undefined;

  const loadOnce = async () => {
    loadingGeneration = generation;
    const asked = now();
    try {
      const found = await load();
      models = new Map(
        found
          .filter(model => model.environment === environment && model.status === 'ready')
          .map(model => [model.name, model]),
      );
      loadedAt = asked;
      loadedGeneration = loadingGeneration;
      failing = false;
    } catch (error) {
      retryAt = now() + retryMs;
      failing = true;
      onError(error as Error);
      throw error;
    }
  };

  /**
  Resolves when a snapshot is served that was read after this call began or after the last invalidation; rejects when it
  could not be read. One load at a time, and at most one behind it.
  */
  const refresh = (): Promise<void> => {
    if (loading && loadingGeneration !== generation) {
      following ??= loading
        .catch(() => {})
        .then(() => {
          following = undefined;
          return refresh();
        });
      return following;
    }
    loading ??= loadOnce().finally(() => {
      loading = undefined;
    });
    return loading;
  };

  /** The failure was given to `onError`; the next look-up tries again. */
  const refreshBehind = () => void refresh().catch(() => {});

  const isStale = () =>
    loadedAt === undefined || loadedGeneration !== generation || now() - loadedAt > maxAgeMs;

  const refreshWhenDue = () => {
    if (!loading && isStale() && now() >= retryAt) {
      refreshBehind();
    }
  };

  return {
    find(name: string): ModelEntry | undefined {
      refreshWhenDue();
      return models.get(name);
    },
    list(): ModelEntry[] {
      refreshWhenDue();
      return [...models.values()];
    },
    /** Something changed: the next snapshot is read at once, this one is served until then. */
    invalidate() {
      generation += 1;
      refreshBehind();
    },
    refresh,
    /** Who looks while it fails makes it try again: nobody may be asking for a model. */
    state(): CatalogueState {
      if (failing) {
        refreshWhenDue();
      }
      return {loadedAt, stale: isStale(), failing};
    },
  };
};

export type Catalogue = ReturnType<typeof createCatalogue>;
