/**
Events: what the registry does with an event of Kubernetes' sources. Anything in a cluster can post one, so it is a hint: only which
object it is of is used, and the object is read again with the registry's own account.

Without an account nothing is done, and the log says so. When Kubernetes does not answer the event is to be sent again.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {EventHandler} from '../../../events/serve.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Follow} from './follow.ts';
import {eventTypes, keyOfSubject} from './objects.ts';
import type {Resync} from './resync.ts';

export type Kubernetes = Readonly<{follow: Follow; resync: Resync}>;
const pingType = 'dev.knative.sources.ping';

export const onKubernetes = ({
  kubernetes,
  otherwise,
  logger,
  now = Date.now,
  restMs = 30_000,
}: {
  /** Undefined: this runs in no cluster, or without an account of it. */
  kubernetes: Kubernetes | undefined;
  otherwise: EventHandler;
  logger: Pick<Logger, 'info' | 'warn'>;
  now?: () => number;
  /** A tick within this time after another does nothing: who posts thousands lists the cluster no oftener. */
  restMs?: number;
}): EventHandler => {
  let resyncedAt = Number.NEGATIVE_INFINITY;

  return async function handleKubernetes(event) {
    const isTick = event.type === pingType;
    if (!isTick && !eventTypes.test(event.type)) {
      return otherwise(event);
    }
    const key = isTick ? undefined : keyOfSubject(event.subject);
    if (!isTick && !key) {
      throw new SluiceError(
        'unprocessable_event',
        'subject: expected the path of a Service, an EndpointSlice or an InferenceService',
      );
    }
    if (!kubernetes) {
      logger.warn('there is no account of Kubernetes here: its objects cannot be read');
      return undefined;
    }
    if (key) {
      const outcome = await kubernetes.follow(key);
      logger.info(outcome, 'looked at an object of Kubernetes');
      return undefined;
    }
    if (now() - resyncedAt >= restMs) {
      const {looked, outcomes, problems} = await kubernetes.resync();
      resyncedAt = now();
      logger[problems.length > 0 ? 'warn' : 'info']({looked, outcomes, problems}, 'resynced');
    }
    return undefined;
  };
};
