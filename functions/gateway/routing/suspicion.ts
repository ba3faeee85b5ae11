/**
Suspicion: tells the registry of an endpoint that is not what it is thought to be: it failed, or it answered although it is
not known to be healthy. Once in five seconds each; a hint, not worth a queue: the registry probes and believes only the probe.
*/
import type {Queryable} from '../../../events/database.ts';
import {makeEvent} from '../../../events/event.ts';
import {insertIntoOutbox} from '../../../events/outbox.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {uuidv7} from '../../../events/uuid.ts';
import type {Facts} from '../exchange/facts.ts';

/** Endpoints come and go: of more the oldest is forgotten, and may be told of again. */
const endpointsMax = 1_000;

export const createSuspicion = ({pool, logger}: {pool: Queryable; logger: Logger}) => {
  const toldMs = new Map<string, number>();
  return function suspect({endpoint, model}: Pick<Facts, 'endpoint' | 'model'>, reason: string) {
    const now = performance.now();
    if (now - (toldMs.get(endpoint.id) ?? Number.NEGATIVE_INFINITY) < 5_000) {
      return;
    }
    toldMs.delete(endpoint.id);
    toldMs.set(endpoint.id, now);
    if (toldMs.size > endpointsMax) {
      toldMs.delete(toldMs.keys().next().value as string);
    }
    logger.warn({endpoint: endpoint.url, reason}, 'an endpoint is suspected');
    const event = makeEvent({
      type: 'dev.sluice.endpoint.suspected.v1',
      from: 'gateway',
      id: uuidv7(),
      time: new Date(),
      data: {model: model.id, endpoint: endpoint.id, reason: reason.slice(0, 500)},
    });
    insertIntoOutbox(pool, [{destination: 'broker:default', event}]).catch(error =>
      logger.warn({err: error}, 'the suspicion was not told'),
    );
  };
};
