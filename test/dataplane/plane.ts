/**
Plane: a Broker with its Triggers, somewhere, reached over HTTP and nothing else: on the local runner, or on a real Knative when
`SLUICE_TEST_KNATIVE` names a kubeconfig.

In: Triggers whose subscribers are paths of the test's own receiver. Out: the URL of the Broker, and what arrived.
*/
import type {ExecutionContext} from 'ava';
import {stringify} from 'yaml';
import {type Receiver, type Respond, startReceiver} from './receiver.ts';
import {settle} from './settle.ts';

export type TriggerSpec = Readonly<{
  name: string;
  filter?: unknown;
  filters?: unknown;
  delivery?: Readonly<Record<string, unknown>>;
  /** Of the receiver; `/<name>` unless said. */
  path?: string;
  /** Of the receiver. */
  deadLetterPath?: string;
}>;

export type PlaneSpec = Readonly<{
  triggers: readonly TriggerSpec[];
  /** Of the Broker. */
  delivery?: Readonly<Record<string, unknown>>;
  respond?: Respond;
}>;

export type Plane = Readonly<{
  kind: 'runner' | 'knative';
  /** POST events here. */
  url: string;
  receiver: Receiver;
}>;

/** What carries manifests out: resolves with the URL of the Broker `default` when all its Triggers are ready. */
export type Carrier = Readonly<{
  kind: Plane['kind'];
  namespace: string;
  /** Where subscribers are listened for. */
  host: string;
  apply(manifests: string): Promise<string>;
}>;

export const isKnative = process.env.SLUICE_TEST_KNATIVE !== undefined;

export const openPlane = async (t: ExecutionContext, spec: PlaneSpec): Promise<Plane> => {
  // Only what is used: a real cluster needs nothing of the runner, and the runner none of a cluster.
  const carrier = isKnative
    ? await (await import('./knative.ts')).openKnative(t)
    : await (await import('./runner.ts')).openRunner(t);
  const receiver = await startReceiver(t, {host: carrier.host, respond: spec.respond});
  const url = await carrier.apply(manifestsOf(spec, carrier.namespace, receiver.url));
  if (carrier.kind === 'knative') {
    await settle({carrier, receiver, url});
  }
  return {kind: carrier.kind, url, receiver};
};

/** Both backoff fields, so that both kinds of Broker do the same. */
export const quickly = (retry: number) => ({
  retry,
  backoffPolicy: 'exponential',
  backoffDelay: 'PT0.05S',
  timeout: 'PT30S',
});

export const manifestsOf = (
  {triggers, delivery}: PlaneSpec,
  namespace: string,
  sink: string,
): string =>
  [
    {
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'Broker',
      metadata: {name: 'default', namespace},
      spec: {delivery: delivery ?? quickly(1)},
    },
    ...triggers.map(({name, path, deadLetterPath, delivery: own, filter, filters}) => ({
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'Trigger',
      metadata: {name, namespace},
      spec: {
        broker: 'default',
        ...(filter === undefined ? {} : {filter}),
        ...(filters === undefined ? {} : {filters}),
        subscriber: {uri: `${sink}${path ?? `/${name}`}`},
        ...(own === undefined && deadLetterPath === undefined
          ? {}
          : {
              delivery: {
                ...(own ?? quickly(1)),
                ...(deadLetterPath === undefined
                  ? {}
                  : {deadLetterSink: {uri: `${sink}${deadLetterPath}`}}),
              },
            }),
      },
    })),
  ]
    .map(document => stringify(document))
    .join('---\n');
