/**
Routes: the registry's HTTP API, the operator's.
*/
import type {Request, RequestHandler, Response, Router} from 'express';
import {accessOf, auditedActor} from '../../events/access/access.ts';
import {readCursor, writeCursor} from '../../events/cursor.ts';
import {SluiceError} from '../../events/errors.ts';
import {requireState, sendResource} from '../../events/etag.ts';
import {readJson} from '../../events/json-body.ts';
import {formatUsd} from '../../events/money.ts';
import type {Rates} from '../../events/rates.ts';
import {isUuid} from '../../events/uuid.ts';
import {parseChange} from './change.ts';
import {type Endpoint, type Model, obstacleOf, type Price, type Status} from './model.ts';
import {environmentOf, parseRegistration} from './registration.ts';
import type {Registry} from './registry.ts';
import type {Filter} from './store.ts';

const base = '/admin/v1/models';
const environments = /^(development|staging|production)$/;
const parameterNames = ['environment', 'status', 'after', 'limit'];
const statuses: readonly string[] = ['registered', 'ready', 'disabled'] satisfies Status[];

export const registryRoutes = ({
  registry,
  guard,
  modelsMax = 1_000,
}: {
  registry: Registry;
  /** Of `events/access`. */
  guard: RequestHandler;
  modelsMax?: number;
}) =>
  function addRoutes(router: Router) {
    const show = async (models: readonly Model[]) => {
      const isMissing = await registry.missing(models);
      return models.map(model =>
        toView(
          model,
          model.fallbacks.filter(name => isMissing(model, name)),
        ),
      );
    };
    router.use(base, guard);
    router.post(base, async (request, response) => {
      const {model, replaced} = await registry.register(
        parseRegistration(readJson(request)),
        actorOf(request),
      );
      response.location(`${base}/${model.id}`);
      await send(request, response, model, replaced ? 200 : 201);
    });
    router.get(base, async (request, response) => {
      const limit = limitOf(request.query.limit, modelsMax);
      const found = await registry.list(filterOf(request.query), limit + 1);
      const last = found[limit - 1];
      response.json({
        data: await show(found.slice(0, limit)),
        ...(last && found.length > limit ? {next: writeCursor([last.environment, last.name])} : {}),
      });
    });
    const send = async (request: Request, response: Response, model: Model, status = 200) => {
      const [view] = await show([model]);
      sendResource(request, response, view as object, {status, state: stateOf(model)});
    };
    const answer =
      (act: (id: string, actor: string) => Promise<Model>) =>
      async (request: Request, response: Response) =>
        send(request, response, await act(idOf(request), actorOf(request)));
    router.get(`${base}/:id`, answer(registry.find));
    router.post(`${base}/:id/enable`, answer(registry.enable));
    router.post(`${base}/:id/disable`, answer(registry.disable));
    router.post(`${base}/:id/probe`, answer(registry.probe));
    router.patch(`${base}/:id`, async (request, response) => {
      const change = parseChange(readJson(request));
      const rule = (before: Model) => {
        // What is wrong in itself is wrong in every state.
        const after = change(before);
        requireState(request, stateOf(before));
        return after;
      };
      await send(request, response, await registry.change(idOf(request), rule, actorOf(request)));
    });
    router.delete(`${base}/:id`, async (request, response) => {
      await registry.deregister(idOf(request), actorOf(request), model =>
        requireState(request, stateOf(model)),
      );
      response.status(204).end();
    });
  };

const actorOf = (request: Request) => auditedActor(accessOf(request));

/** What an ETag is of: how endpoints are, and what is missing, is nobody's change. */
const stateOf = (model: Model) => {
  const {reason, endpoints, ...state} = toView(model, []);
  return {
    ...state,
    endpoints: endpoints.map(({url, upstreamModel, maxConcurrency}) => ({
      url,
      upstreamModel,
      maxConcurrency,
    })),
  };
};

const idOf = (request: Request): string => {
  const id = String(request.params.id).toLowerCase();
  if (!isUuid(id)) {
    throw new SluiceError(
      'not_found',
      'a model is named by its id, a UUID; GET /admin/v1/models lists them',
      {parameter: 'id'},
    );
  }
  return id;
};

const limitOf = (limit: unknown, max: number): number => {
  if (limit === undefined) {
    return max;
  }
  if (typeof limit !== 'string' || !/^[1-9]\d{0,3}$/.test(limit) || Number(limit) > max) {
    throw new SluiceError('bad_request', `limit: expected a whole number from 1 to ${max}`, {
      parameter: 'limit',
    });
  }
  return Number(limit);
};

const placeIn = (after: unknown) => {
  const [environment, name] = readCursor(String(after), [environments, /^[^\0]{1,400}$/u]);
  return {after: {environment: environmentOf(environment), name: name as string}};
};

const filterOf = (parameters: Request['query']): Filter => {
  const unknown = Object.keys(parameters).find(name => !parameterNames.includes(name));
  if (unknown !== undefined) {
    throw new SluiceError(
      'bad_request',
      `${unknown.slice(0, 64)}: expected one of ${parameterNames.join(', ')}`,
      {parameter: unknown.slice(0, 64)},
    );
  }
  const {environment, status} = parameters;
  if (status !== undefined && !statuses.includes(status as string)) {
    throw new SluiceError('bad_request', `status: expected one of ${statuses.join(', ')}`, {
      parameter: 'status',
    });
  }
  return {
    ...(environment === undefined ? {} : {environment: environmentOf(environment)}),
    ...(status === undefined ? {} : {status: status as Status}),
    ...(parameters.after === undefined ? {} : placeIn(parameters.after)),
  };
};

/**
`reason` says why a model is not ready, or what keeps a disabled one from being enabled; `missingFallbacks`, where there are
any, which names nobody has registered.
*/
const toView = (model: Model, missingFallbacks: readonly string[]) => {
  const {id, name, environment, status, contextLength, defaultMaxTokens, priceVersion} = model;
  const reason = obstacleOf(model);
  return {
    id,
    name,
    environment,
    status,
    ...(reason === undefined ? {} : {reason}),
    contextLength,
    defaultMaxTokens,
    price: priceView(model.price),
    priceVersion,
    endpoints: model.endpoints.map(endpointView),
    namespace: model.namespace,
    metadata: model.metadata,
    startSeconds: model.startSeconds,
    fallbacks: model.fallbacks,
    ...(missingFallbacks.length === 0 ? {} : {missingFallbacks}),
    maxOutputTokens: model.maxOutputTokens,
    ...ratesView(model.rates),
  };
};

/** Of the object only what it is called. */
const endpointView = ({object, ...endpoint}: Endpoint) => ({
  ...endpoint,
  object: object?.ref ?? null,
});

const ratesView = ({requests, tokens, parallel}: Rates = {}) => ({
  ...(requests === undefined ? {} : {requestsPerMinute: requests}),
  ...(tokens === undefined ? {} : {tokensPerMinute: tokens}),
  ...(parallel === undefined ? {} : {parallelRequests: parallel}),
});

const priceView = (price: Price) =>
  price.free
    ? 'free'
    : {
        inputPerMillion: formatUsd(price.inputPerMillion),
        outputPerMillion: formatUsd(price.outputPerMillion),
        ...(price.cachedInputPerMillion === null
          ? {}
          : {cachedInputPerMillion: formatUsd(price.cachedInputPerMillion)}),
        ...(price.inputGpuMsPerMillion + price.outputGpuMsPerMillion === 0n
          ? {}
          : {
              inputGpuMsPerMillion: Number(price.inputGpuMsPerMillion),
              outputGpuMsPerMillion: Number(price.outputGpuMsPerMillion),
            }),
      };
