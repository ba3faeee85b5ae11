/** List models: the catalogue as OpenAI's clients list it, with what else a client wants to know of a model. */
import {mayUseModel, type Principal} from '../../auth/principal.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';

const describe = (model: ModelEntry) => ({
  id: model.name,
  object: 'model',
  created: 0,
  owned_by: 'sluice',
  max_model_len: model.contextLength,
  status: model.endpoints.some(({health}) => health !== 'unhealthy') ? 'ready' : 'degraded',
});

export const listModels = (models: readonly ModelEntry[], principal: Principal) => ({
  object: 'list',
  data: models
    .filter(model => model.status === 'ready' && mayUseModel(principal, model.name))
    .map(describe),
});

export const showModel = (models: readonly ModelEntry[], principal: Principal, name: string) =>
  listModels(models, principal).data.find(({id}) => id === name);
