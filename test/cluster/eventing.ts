/**
Eventing: the Brokers of the shared installation, a receiver of the test's own behind one of them, and its data plane.

In: an installation. Out: the URL of a Broker as this machine reaches it; a carrier for `test/dataplane/`, whose Triggers are in the
installation's namespace and go with the test.
*/
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {stringify} from 'yaml';
import {type Receiver, type Respond, startReceiver} from '../dataplane/receiver.ts';
import {settle} from '../dataplane/settle.ts';
import {eventually} from '../helpers/eventually.ts';
import type {Installation} from '../helpers/installation.ts';

/** Its host may be a name that this machine cannot resolve: the address of the Service that it names. */
export const brokerUrl = async (
  {kubectl, cluster}: Installation,
  broker = 'default',
): Promise<string> => {
  const url = new URL(
    await kubectl(
      'get',
      `brokers.eventing.knative.dev/${broker}`,
      '-o',
      'jsonpath={.status.address.url}',
    ),
  );
  const [service = '', namespace = ''] = url.hostname.split('.');
  url.hostname = await cluster([
    ...['-n', namespace, 'get', 'service', service],
    ...['-o', 'jsonpath={.spec.clusterIP}'],
  ]);
  return url.href;
};

export type Listening = Readonly<{
  receiver: Receiver;
  /** Of the Trigger; what it delivers is at `/<name>` of the receiver. */
  name: string;
  /** Of the Broker. */
  url: string;
}>;

/**
A Trigger of the Broker `default` for some types of event, or for all, whose subscriber is a receiver. Resolves when the processes that
deliver know it.
*/
export const listen = async (
  t: ExecutionContext,
  installation: Installation,
  {
    types,
    delivery,
    respond,
  }: {
    /** Undefined: every event. */
    types?: readonly string[];
    delivery?: (name: string) => object;
    respond?: Respond;
  } = {},
): Promise<Listening> => {
  const {kubectl, cluster, namespace, host} = installation;
  const receiver = await startReceiver(t, {host, respond});
  const name = `test-${randomBytes(4).toString('hex')}`;
  const url = await brokerUrl(installation);
  const apply = async (manifest: string) => {
    // Others come and go meanwhile.
    const applied = await cluster(['apply', '-o', 'name', '-f', '-'], manifest);
    await kubectl('wait', '--for=condition=Ready', '--timeout=600s', applied);
    return url;
  };
  t.teardown(async () => {
    await removeTrigger(installation, 'probe');
    await removeTrigger(installation, name);
  });
  await apply(
    stringify({
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'Trigger',
      metadata: {name, namespace},
      spec: {
        broker: 'default',
        ...(types === undefined ? {} : {filters: [{any: types.map(type => ({exact: {type}}))}]}),
        subscriber: {uri: `${receiver.url}/${name}`},
        ...(delivery === undefined ? {} : {delivery: delivery(name)}),
      },
    }),
  );
  await settle({carrier: {kind: 'knative', namespace, host, apply}, receiver, url});
  return {receiver, name, url};
};

/**
One after the other, each until the channel does not deliver to it any more: Knative Eventing 0.47.0 writes the list of a channel's
subscribers whole and from a copy, so that of two Triggers that go together one stays in it for ever. Every event is then tried at it,
answered 404, and a dead letter.
*/
export const removeTrigger = async ({kubectl}: Installation, name: string) => {
  const [broker = '', uid] = (
    await kubectl(
      ...['get', 'trigger', name, '--ignore-not-found'],
      ...['-o', 'jsonpath={.spec.broker} {.metadata.uid}'],
    )
  ).split(' ');
  if (uid === undefined) {
    return;
  }
  await kubectl('delete', 'trigger', name, '--timeout=300s');
  await eventually(
    async () => {
      const subscribers = await kubectl(
        ...['get', 'inmemorychannels.messaging.knative.dev', `${broker}-kne-trigger`],
        ...['--ignore-not-found', '-o', 'jsonpath={.spec.subscribers[*].subscriberUri}'],
      );
      assert.ok(!subscribers.includes(uid), `${name} is a subscriber of its channel still`);
    },
    {timeoutMs: 300_000, intervalMs: 500},
  );
};
