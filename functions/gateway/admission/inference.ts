/**
Inference: one request from its arrival to the exchange.

In order: key, body, model, whether its endpoints take it, bounds, limits, holds, place, exchange. Every step either goes on or throws
what the client is told; nothing is held before the holds, and from there on the exchange's finaliser owns the request. A model
that cannot take it, now or after its tries, gives it to its fallbacks.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Limits} from '../../../events/limits.ts';
import {mayUseModel, type Principal} from '../../auth/principal.ts';
import type {Catalogue, ModelEntry} from '../../registry/catalogue.ts';
import type {Ending} from '../exchange/facts.ts';
import {sendError} from '../front/respond.ts';
import type {Idempotency} from '../idempotency/idempotency.ts';
import {type Arrival, begin, type Running} from './begin.ts';
import {type FallBackParts, fallBack, fallbacksOf} from './fall-back.ts';
import {type OperationName, readOperation} from './operation.ts';

export {newRequestId} from './begin.ts';

export type InferenceParts = FallBackParts &
  Readonly<{
    catalogue: Catalogue;
    limits: Pick<Limits, 'bodyBytes' | 'requestMs'>;
    idempotency: Idempotency;
  }>;

type Asked = Pick<Running, 'arrival' | 'operation' | 'model' | 'response' | 'onEnd'>;

export const createInference = (parts: InferenceParts) =>
  async function infer(name: OperationName, arrival: Arrival): Promise<void> {
    const operation = readOperation(name, await arrival.request.body(parts.limits.bodyBytes));
    arrival.known.streamed = operation.stream;
    const model = findModel(parts.catalogue, arrival.principal, operation.model);
    arrival.known.model = model;
    const header = arrival.request.headers['idempotency-key'];
    return header === undefined
      ? run(parts, {arrival, operation, model, response: arrival.response, onEnd: undefined})
      : parts.idempotency.answer(
          {...arrival, header, route: name, body: operation.body, errors: operation.form.errors},
          (response, onEnd) => run(parts, {arrival, operation, model, response, onEnd}),
        );
  };

const run = async (parts: InferenceParts, asked: Asked): Promise<void> => {
  const {arrival, operation, model, response, onEnd} = asked;
  /** The exchange that found no endpoint has ended; the client hears of it only when nobody takes over. */
  const takeOver = async (error: SluiceError, ending: Ending) => {
    const request = running.begun as string;
    if (!(await fallBack(parts, running))) {
      sendError(response, error, operation.form.errors);
      onEnd?.(ending, request);
    }
  };
  const running: Running = {
    ...asked,
    left: fallbacksOf(parts.catalogue, arrival.principal, model),
    untilMs: undefined,
    begun: undefined,
    fallBack: (error, ending) => void takeOver(error, ending),
  };
  const refused = await begin(parts, running, model);
  if (refused && !(await fallBack(parts, running))) {
    throw refused;
  }
};

const findModel = (catalogue: Catalogue, principal: Principal, name: string): ModelEntry => {
  const model = catalogue.find(name);
  if (!mayUseModel(principal, name)) {
    throw new SluiceError('model_not_allowed', 'this key may not use this model', {
      parameter: 'model',
    });
  }
  if (model?.status === 'ready') {
    return model;
  }
  if (!model && catalogue.state().loadedAt === undefined) {
    throw new SluiceError('unavailable', 'the models could not be read yet', {
      retryAfterSeconds: 1,
    });
  }
  throw new SluiceError('model_not_found', 'there is no model of this name in this environment', {
    parameter: 'model',
  });
};
