/**
Suspicion: tells the registry of an endpoint that failed, once in five seconds each. A hint, not worth a queue: the registry
probes and believes only the probe.
*/
import type {Queryable} from '../../events/database.ts';
import {makeEvent} from '../../events/event.ts';
import {insertIntoOutbox} from '../../events/outbox.ts';
import type {Logger} from '../../events/telemetry.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Exchange} from './exchange.ts';

export const createSuspicion = ({pool, logger}: {pool: Queryable; logger: Logger}) => {
  const toldMs = new Map<string, number>();
  return ({facts}: Exchange, failure: Error) => {
    const endpoint = facts.model.endpoints.find(({url}) => url === facts.endpoint);
    const now = performance.now();
    if (!endpoint || now - (toldMs.get(endpoint.id) ?? Number.NEGATIVE_INFINITY) < 5_000) {
      return;
    }
    toldMs.set(endpoint.id, now);
    logger.warn({err: failure, endpoint: endpoint.url}, 'an endpoint failed');
    const event = makeEvent({
      type: 'dev.sluice.endpoint.suspected.v1',
      from: 'gateway',
      id: uuidv7(),
      time: new Date(),
      data: {model: facts.model.id, endpoint: endpoint.id, reason: failure.message.slice(0, 500)},
    });
    insertIntoOutbox(pool, [{destination: 'broker:default', event}]).catch(error =>
      logger.warn({err: error}, 'the suspicion was not told'),
    );
  };
};
