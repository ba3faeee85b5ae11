/** Events: relay, deliveries and pings; stage of a start. */
import {createPool} from '../../../events/database.ts';
import type {Enter} from '../activator/gates.ts';
import {drainEvents} from '../eventing/drain-events.ts';
import {startEventing} from '../eventing/eventing.ts';
import type {Plan} from '../plan/plan.ts';
import type {State} from '../state.ts';
import type {Services} from './services.ts';
import type {Start} from './start.ts';

/** Relay and deliveries. Ends when what was written is handled, or its time is up: the rest waits for the next start. */
export const startEvents = async ({
  start,
  plan,
  state,
  databaseUrl,
  enter,
  brokersUrl,
  services,
}: {
  start: Start;
  plan: Plan;
  state: State;
  databaseUrl: string;
  enter: Enter;
  brokersUrl: string;
  services: Services;
}) => {
  const {parts, logger} = start;
  const onError = (error: Error) => logger.warn({err: error}, 'a database connection broke');
  const system = createPool({databaseUrl, name: 'eventing', connectionsMax: 10, onError});
  parts.add({name: 'the connections of eventing', stop: () => system.end()});
  const {sourceToken} = state.secrets;
  const eventing = await startEventing({
    plan,
    pools: {system},
    enter,
    brokersUrl,
    sourceToken,
    logger,
    carriers: services.carriers,
  });
  const hurry = new AbortController();
  parts.add({
    name: 'eventing',
    stop: async () => {
      try {
        await drainEvents({stats: eventing.stats, pool: system, signal: hurry.signal});
      } finally {
        await eventing.close();
      }
    },
    kill: () => hurry.abort(),
  });
  return eventing;
};
