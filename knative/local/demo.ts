/**
Demo: what a first start makes so that the first request has a key, a budget and a model.

In: the admin API. Out: the key and the name of a model to ask. What was made is remembered after each step in `demo.json`,
so that a start which broke off is taken up and a later start makes nothing twice; what an operator changed since stays.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {type AdminApi, createAdminApi} from './admin-api.ts';
import type {Price} from './options.ts';
import type {State} from './state.ts';
import {listUpstreamModels, type UpstreamModel} from './upstream.ts';

/** `demo`: what the simulated models pretend to cost. */
export type DemoPrice = Price | 'free' | 'demo';

type Memory = {
  org?: string;
  project?: string;
  budget?: string;
  apiKey?: string;
  /** By environment and name: the model's id, and with what it was registered. */
  models?: Record<string, {id: string; as: string}>;
};

const budgetLimit = '5.00';
/** Taken where a server does not tell how long its context is. */
const contextLengthAssumed = 8_192;

export const prepareDemo = async ({
  state,
  url,
  environment,
  upstream,
  price,
}: {
  state: State;
  url: string;
  environment: string;
  upstream: string;
  price: DemoPrice;
}): Promise<{apiKey: string; model: string}> => {
  const api = createAdminApi({url, adminKey: state.secrets.adminKey});
  const memory = await recall(state, api);
  const remember = (more: Memory) => state.write('demo.json', Object.assign(memory, more));
  const models = await listUpstreamModels(upstream);
  const [apiKey] = await Promise.all([
    prepareTenant(api, memory, remember),
    registerModels({api, memory, models, environment, upstream, price}),
  ]);
  await remember({});
  return {apiKey, model: modelToAsk(models)};
};

/** A data folder whose database was thrown away has nothing to remember. */
const recall = async (state: State, api: AdminApi): Promise<Memory> => {
  const memory = (await state.read<Memory>('demo.json')) ?? {};
  const known =
    memory.budget === undefined ||
    (await api.get(`/admin/v1/budgets/${memory.budget}`)) !== undefined;
  return known ? memory : {};
};

const prepareTenant = async (
  api: AdminApi,
  memory: Memory,
  remember: (more: Memory) => Promise<void>,
): Promise<string> => {
  const org = memory.org ?? (await api.createNamed('/admin/v1/orgs', 'demo')).id;
  await remember({org});
  const project =
    memory.project ?? (await api.createNamed(`/admin/v1/orgs/${org}/projects`, 'demo')).id;
  await remember({project});
  const budget =
    memory.budget ??
    (await api.create('/admin/v1/budgets', {org, unit: 'usd', limit: budgetLimit, period: 'month'}))
      .id;
  await remember({budget});
  const apiKey =
    memory.apiKey ??
    String((await api.create(`/admin/v1/projects/${project}/keys`, {name: 'demo'})).key);
  await remember({apiKey});
  return apiKey;
};

const registerModels = async ({
  api,
  memory,
  models,
  environment,
  upstream,
  price,
}: {
  api: AdminApi;
  memory: Memory;
  models: readonly UpstreamModel[];
  environment: string;
  upstream: string;
  price: DemoPrice;
}) => {
  const registered = {...memory.models};
  for (const {name, contextLength} of models) {
    const body = {
      name,
      environment,
      endpoints: [upstream],
      contextLength: contextLength ?? contextLengthAssumed,
      price: priceOf(name, price),
    };
    const key = `${environment}/${name}`;
    const as = JSON.stringify(body);
    const known = registered[key]?.as === as ? registered[key]?.id : undefined;
    // Known: asked whether it answers, because its server may have been away when it was asked last.
    const probed =
      known === undefined ? undefined : await api.post(`/admin/v1/models/${known}/probe`);
    registered[key] = {
      id:
        probed === undefined ? (await api.create('/admin/v1/models', body)).id : (known as string),
      as,
    };
  }
  memory.models = registered;
};

const isEmbedding = (name: string) => /embed/i.test(name);

const priceOf = (name: string, price: DemoPrice): Price | 'free' => {
  if (price === 'free') {
    return 'free';
  }
  if (price !== 'demo') {
    return Number(price.inputPerMillion) + Number(price.outputPerMillion) === 0 ? 'free' : price;
  }
  return isEmbedding(name)
    ? {inputPerMillion: '0.02', outputPerMillion: '0'}
    : {inputPerMillion: '0.50', outputPerMillion: '1.50'};
};

/** The first that talks. */
const modelToAsk = (models: readonly UpstreamModel[]): string =>
  (models.find(({name}) => !isEmbedding(name)) ?? models[0])?.name ?? '';

/**
Resolves when the gateway lists the model for the key: it hears of changes a moment after they are made, and a start that
says it is ready is asked at once. False when it does not within `timeoutMs`, also when it has not answered by then.
*/
export const waitForModel = async ({
  url,
  apiKey,
  model,
  timeoutMs = 30_000,
  pollMs = 25,
}: {
  url: string;
  apiKey: string;
  model: string;
  timeoutMs?: number;
  pollMs?: number;
}): Promise<boolean> => {
  const signal = AbortSignal.timeout(timeoutMs);
  const isServed = async () => {
    const headers = {authorization: `Bearer ${apiKey}`};
    const response = await fetch(`${url}/v1/models`, {headers, signal});
    const {data = []} = (await response.json()) as {data?: {id?: string}[]};
    return data.some(({id}) => id === model);
  };
  while (!signal.aborted) {
    try {
      if (await isServed()) {
        return true;
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    }
    await wait(pollMs);
  }
  return false;
};
