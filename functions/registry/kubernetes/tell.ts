/**
Tell: why an object is not registered, where who made it looks: as an event of the object in Kubernetes, which `kubectl describe` shows.

In: the object, the reason. Out: an event; the same reason is told once until Kubernetes forgets it, after an hour. That it could not be
told is the log's, never an error.
*/
import {createHash} from 'node:crypto';
import type {Logger} from '../../../events/telemetry.ts';
import type {Api} from './api.ts';
import {apiVersionOf, type Key, type KubeObject} from './objects.ts';

export type Tell = (key: Key, object: KubeObject, reason: string) => Promise<void>;

const messageMax = 1_000;
const nameMax = 200;

export const createTell = ({
  api,
  logger,
  now = Date.now,
}: {
  api: Pick<Api, 'create'>;
  logger: Pick<Logger, 'warn'>;
  now?: () => number;
}): Tell =>
  async function tellObject(key, {metadata}, reason) {
    const {kind, namespace, name} = key;
    logger.warn({kind, namespace, object: name, reason}, 'an object does not count as it says');
    const digest = createHash('sha256').update(`${metadata?.uid} ${reason}`).digest('hex');
    const at = new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z');
    const event = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: {name: `${name.slice(0, nameMax)}.${digest.slice(0, 16)}`, namespace},
      involvedObject: {apiVersion: apiVersionOf(key), kind, namespace, name, uid: metadata?.uid},
      type: 'Warning',
      reason: 'NotAsModel',
      message: `Sluice: ${reason}`.slice(0, messageMax),
      source: {component: 'sluice-registry'},
      reportingComponent: 'sluice.dev/registry',
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
    };
    try {
      await api.create(`/api/v1/namespaces/${namespace}/events`, event);
    } catch (error) {
      logger.warn({err: error}, 'that could not be told in Kubernetes');
    }
  };
