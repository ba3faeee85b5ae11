/**
List models: the catalogue as OpenAI's clients list it, with what else a client wants to know of a model: its context and the
most that this key may ask for, under vLLM's names and OpenAI's, and in which state it is.

In: models, who asks, how the router sees a model. Out: those that this key may use.
*/
import {mayUseModel, type Principal} from '../../auth/principal.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';

/**
cold: it scales to zero and nothing runs; loading: it starts; ready; degraded: an endpoint is ill; saturated: requests of it wait.
*/
export type ModelState = 'cold' | 'loading' | 'ready' | 'degraded' | 'saturated';
export type StateOf = (model: ModelEntry) => ModelState;

/** What the registry's probes say, for who has no router. */
export const stateByHealth: StateOf = ({endpoints, startSeconds}) => {
  if (endpoints.some(({health}) => health === 'unhealthy')) {
    return 'degraded';
  }
  const sleeps = startSeconds !== undefined && endpoints.every(({health}) => health === 'unknown');
  return sleeps ? 'cold' : 'ready';
};

const describe = (model: ModelEntry, principal: Principal, stateOf: StateOf) => ({
  id: model.name,
  object: 'model',
  created: 0,
  owned_by: 'sluice',
  max_model_len: model.contextLength,
  max_output_tokens: Math.min(
    model.contextLength,
    model.maxOutputTokens ?? model.contextLength,
    principal.maxOutputTokens ?? model.contextLength,
  ),
  state: stateOf(model),
});

export const listModels = (
  models: readonly ModelEntry[],
  principal: Principal,
  stateOf: StateOf = stateByHealth,
) => ({
  object: 'list',
  data: models
    .filter(model => model.status === 'ready' && mayUseModel(principal, model.name))
    .map(model => describe(model, principal, stateOf)),
});

export const showModel = (
  models: readonly ModelEntry[],
  principal: Principal,
  name: string,
  stateOf: StateOf = stateByHealth,
) => {
  const found = models.filter(model => model.name === name);
  return listModels(found, principal, stateOf).data[0];
};
