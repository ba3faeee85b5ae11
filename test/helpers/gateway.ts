/**
Gateway: the whole gateway in the test's process, in front of a simulated model, with memory twins for what it stores in.

In: the test, and what is to be different. Out: its URL, a key that works, and what it told the log.
*/
import assert from 'node:assert/strict';
import {setTimeout as wait} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {pino} from 'pino';
import {hashSecret, makeApiKey} from '../../events/api-key.ts';
import {type Limits, limits} from '../../events/limits.ts';
import {createMetrics} from '../../events/metrics.ts';
import {createMemoryLog} from '../../events/outbox.ts';
import type {InferenceFinished, InferenceStarted} from '../../events/types.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Principal} from '../../functions/auth/principal.ts';
import {createPrincipals} from '../../functions/auth/principals.ts';
import {createLeaseBook} from '../../functions/budget/leases/lease-book.ts';
import {createGateway, type GatewayParts} from '../../functions/gateway/gateway.ts';
import {createCatalogue, type ModelEntry} from '../../functions/registry/catalogue.ts';
import type {SimulatedModelOptions} from '../../knative/local/simulated-model/server.ts';
import {eventually} from './eventually.ts';
import {createMemoryLeases} from './memory-leases.ts';
import {startModel} from './simulated-model.ts';

export type GatewayOptions = Readonly<{
  model?: SimulatedModelOptions;
  entry?: Partial<ModelEntry>;
  /** Models beside it, made from its entry. */
  others?: (entry: ModelEntry) => readonly ModelEntry[];
  usage?: 'every-chunk' | 'last-chunk' | 'none';
  endpoint?: string;
  tokenize?: boolean;
  health?: ModelEntry['endpoints'][number]['health'];
  principal?: Partial<Principal>;
  /** Limits of budgets by id; each is one in US dollars. */
  budgets?: Readonly<Record<string, number>>;
  limits?: Partial<Limits>;
  /** How long the log takes to make a batch durable. */
  logDelayMs?: number;
  /** Rows that wait in the outbox. */
  backlog?: number;
  /** Where claims on idempotency keys are, how results are kept, and logs that are away. */
  parts?: Pick<
    GatewayParts,
    | 'claims'
    | 'seal'
    | 'resultLog'
    | 'logState'
    | 'limitStore'
    | 'gatewayId'
    | 'gateways'
    | 'origins'
    | 'openExchanges'
  >;
}>;

export const startGateway = async (t: ExecutionContext, options: GatewayOptions = {}) => {
  const model = await startModel(t, {keepRequests: true, ...options.model});
  const key = makeApiKey();
  const budgets = options.budgets ?? {budget: 5_000_000_000};
  const principal: Principal = {
    org: uuidv7(),
    project: uuidv7(),
    key: uuidv7(),
    publicId: key.publicId,
    secretHash: hashSecret(key.secret),
    models: null,
    environments: null,
    expiresAtMs: null,
    revoked: false,
    suspended: false,
    unsettledPolicy: 'prompt',
    budgets: Object.keys(budgets).map(id => ({id, unit: 'usd'})),
    ...options.principal,
  };
  const entry: ModelEntry = {
    id: uuidv7(),
    name: 'simulated-chat',
    environment: 'development',
    status: 'ready',
    contextLength: 8_192,
    defaultMaxTokens: 256,
    tokensPerByteMax: 1,
    priceVersion: 1,
    price: {
      free: false,
      inputPerMillion: 200_000_000,
      outputPerMillion: 600_000_000,
      inputGpuMsPerMillion: 0,
      outputGpuMsPerMillion: 0,
    },
    endpoints: [
      {
        id: uuidv7(),
        url: options.endpoint ?? model.url,
        upstreamModel: 'simulated-chat',
        usage: options.usage ?? 'every-chunk',
        tokenize: options.tokenize ?? true,
        health: options.health ?? 'healthy',
      },
    ],
    ...options.entry,
  };
  const leases = createMemoryLeases(budgets);
  const used = {...limits, leaseWaitMs: 5_000, ...options.limits};
  const leaseBook = createLeaseBook({
    work: leases.work,
    ttlMs: used.leaseTtlMs,
    marginMs: used.leaseMarginMs,
    waitMs: used.leaseWaitMs,
  });
  const log = createMemoryLog();
  const told: unknown[][] = [];
  const staleness = {ms: 0};
  const principals = createPrincipals({
    environment: 'development',
    load: async id => (id === key.publicId ? principal : undefined),
  });
  const models: ModelEntry[] = [entry, ...(options.others?.(entry) ?? [])];
  const reading = {fails: false};
  const catalogue = createCatalogue({
    environment: 'development',
    async load() {
      if (reading.fails) {
        throw new Error('the models cannot be read');
      }
      return models;
    },
  });
  await catalogue.refresh();
  const lines: string[] = [];
  const gateway = createGateway({
    principals,
    catalogue,
    leaseBook,
    changes: {staleSinceMs: () => staleness.ms},
    log: {
      async append(events) {
        await wait(options.logDelayMs ?? 0);
        await log.append(events);
      },
    },
    pool: {
      query: async (...query: unknown[]) => {
        told.push(query);
        return {rows: [{waiting: String(options.backlog ?? 0), age_ms: '0'}]};
      },
    } as never,
    limits: used,
    logger: pino({level: 'info'}, {write: (line: string) => void lines.push(line)}),
    metrics: createMetrics(),
    ...options.parts,
  });
  await new Promise<void>(resolve => gateway.server.listen(0, '127.0.0.1', () => resolve()));
  t.teardown(async () => {
    gateway.server.closeAllConnections();
    await new Promise(resolve => gateway.server.close(resolve));
    await gateway.close();
  });
  const address = gateway.server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  const dataOf = <Data>(suffix: string) =>
    log.events.filter(({id}) => id.endsWith(suffix)).map(({data}) => data as Data);

  return {
    url,
    apiKey: key.text,
    model,
    entry,
    /** What the catalogue loads next. */
    models,
    /** Whether the catalogue's loads fail. */
    reading,
    catalogue,
    principal,
    principals,
    leases,
    leaseBook,
    log,
    lines,
    told,
    staleness,
    gateway,
    post: (path: string, body: unknown, init: RequestInit = {}) =>
      fetch(url + path, {
        method: 'POST',
        body: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body),
        ...init,
        headers: {
          authorization: `Bearer ${key.text}`,
          'content-type': 'application/json',
          ...init.headers,
        },
      }),
    intents: () => dataOf<InferenceStarted>('/started'),
    results: () => dataOf<InferenceFinished>('/finished'),
    /** Waits until every intent has its result, and says which. */
    settled: (count = 1) =>
      eventually(() => {
        const results = dataOf<InferenceFinished>('/finished');
        assert.equal(results.length, count);
        assert.equal(dataOf('/started').length, count);
        return results;
      }),
  };
};
