/**
World: a whole Sluice for the tests of one file, and for each test a tenant whose ledger must say what its client saw.

In: the file's `test`. Out: tenants with a key and a budget, models of the test's own, and `charged`, which fails unless the ledger has
exactly the requests whose usage the test noted by `saw`.
*/
import assert from 'node:assert/strict';
import type {ExecutionContext, TestFn} from 'ava';
import {
  type SimulatedModelOptions,
  startSimulatedModel,
} from '../../../knative/local/simulated-model/server.ts';
import {type Admin, createAdmin, type LedgerView} from '../../helpers/admin.ts';
import {eventually} from '../../helpers/eventually.ts';
import {type Sluice, startSluice} from '../../helpers/sluice.ts';

/** As OpenAI's older routes say it, as its newer one and Anthropic say it, and as the AI SDK says it. */
export type Usage =
  | Readonly<{prompt_tokens: number; completion_tokens?: number}>
  | Readonly<{input_tokens: number; output_tokens: number}>
  | Readonly<{inputTokens: number | undefined; outputTokens: number | undefined}>;

export type Tenant = Readonly<{
  url: string;
  /** What OpenAI's clients call the base URL. */
  baseURL: string;
  apiKey: string;
  model: string;
  embedding: string;
  /** The usage of one request, as its client told it. */
  saw(usage: Usage | null | undefined): void;
  /** Waits until the ledger has as many requests as were seen, and compares them. */
  charged(): Promise<void>;
  /** Another key of the tenant, with limits of its own. */
  key(limits: {requestsPerMinute: number}): Promise<string>;
}>;

export type World = Readonly<{
  tenant(options?: {limit?: string}): Promise<Tenant>;
  /** Registers a model of its own, which ends with the test. */
  model(t: ExecutionContext, name: string, options: SimulatedModelOptions): ReturnType<Start>;
}>;
type Start = typeof startSimulatedModel;

/** Registers the hooks of a file; what it returns works inside of tests. */
export const useSluice = (test: TestFn): World => {
  const ends: (() => unknown)[] = [];
  let open: {sluice: Sluice; admin: Admin} | undefined;
  let tenants = 0;
  test.before(async t => {
    t.timeout(240_000);
    const sluice = await startSluice({teardown: end => void ends.unshift(end as never)});
    open = {sluice, admin: createAdmin(sluice)};
  });
  test.after.always(async () => {
    for (const end of ends) {
      await end();
    }
  });
  const parts = () => {
    assert(open, 'Sluice has started');
    return open;
  };
  return {
    tenant({limit = '5.00'} = {}) {
      tenants += 1;
      return openTenant(parts(), `Client ${tenants}`, limit);
    },
    async model(t, name, options) {
      const {sluice, admin} = parts();
      const models = [{name, maxModelLength: 8_192}];
      const model = await startSimulatedModel({models, ...options});
      t.teardown(model.close);
      await admin.post('/models', {
        name,
        environment: sluice.environment,
        endpoints: [model.url],
        price: {inputPerMillion: '0.50', outputPerMillion: '1.50'},
      });
      return model;
    },
  };
};

const openTenant = async (
  {sluice, admin}: {sluice: Sluice; admin: Admin},
  name: string,
  limit: string,
): Promise<Tenant> => {
  const {org, project, apiKey} = await admin.createTenant(name, {limit});
  const seen: (readonly [input: number, output: number])[] = [];
  return {
    url: sluice.url,
    baseURL: `${sluice.url}/v1`,
    apiKey,
    model: sluice.model,
    embedding: 'simulated-embedding',
    saw: usage => void seen.push(countsOf(usage)),
    async charged() {
      await eventually(async () => {
        const {data} = await admin.get<{data: LedgerView[]}>(`/ledger?org=${org}`);
        const charged = data.map(({inputTokens, outputTokens}) => [inputTokens, outputTokens]);
        assert.deepEqual(sorted(charged), sorted(seen));
        assert(data.every(({entry}) => entry === 'result'));
      });
    },
    async key(limits) {
      const path = `/projects/${project}/keys`;
      return (await admin.post<{key: string}>(path, {name: 'limited', ...limits})).key;
    },
  };
};

const countsOf = (usage: Usage | null | undefined): readonly [number, number] => {
  assert(usage, 'the client saw a usage');
  if ('prompt_tokens' in usage) {
    return [usage.prompt_tokens, usage.completion_tokens ?? 0];
  }
  return 'input_tokens' in usage
    ? [usage.input_tokens, usage.output_tokens]
    : [usage.inputTokens ?? 0, usage.outputTokens ?? 0];
};

/** Requests end in any order. */
const sorted = (rows: readonly (readonly number[])[]) => rows.map(String).sort();
