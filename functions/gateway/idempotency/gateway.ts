/**
The gateway's idempotency: its parts put together, and what operators see of it.

In: the store of claims, the seal, both optional. Out: the port, with its counters and a gauge in `/metrics`.
*/
import type {Limits} from '../../../events/limits.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {uuidv7} from '../../../events/uuid.ts';
import type {ClaimStore} from './claim.ts';
import {type Count, createIdempotency, type Idempotency} from './idempotency.ts';
import type {Seal} from './seal.ts';
import {createSharedClaims} from './shared-claims.ts';
import {createMemoryClaims} from './store-memory.ts';

export const createGatewayIdempotency = ({
  claims: store = createMemoryClaims(),
  seal,
  limits,
  logger,
  metrics,
}: {
  claims?: ClaimStore;
  seal?: Seal;
  limits: Limits;
  logger: Logger;
  metrics: Metrics;
}): Idempotency => {
  const claims = createSharedClaims({store, storeMs: limits.claimStoreMs, logger});
  const requests = metrics.counter(
    'sluice_idempotency_requests_total',
    'Requests with an Idempotency-Key, by what became of them.',
  );
  const away = metrics.gauge(
    'sluice_idempotency_per_process',
    '1 while claims are not shared, because their store is away.',
  )();
  const {text} = metrics;
  metrics.text = () => {
    away.set(claims.isAway() ? 1 : 0);
    return text();
  };
  return createIdempotency({
    claims,
    seal,
    limits,
    logger,
    newFence: uuidv7,
    count: (what: Count) => requests({what}).add(),
  });
};
