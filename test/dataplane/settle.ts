/**
Settle: waits until a Knative knows what it has called Ready. A Broker and its Triggers are Ready when the controllers are done with
them; the processes that take and deliver events hear of it a moment later, and until then an event is refused or not delivered.

In: a carrier whose Triggers are Ready, its receiver, the URL of the Broker. Out: one more Trigger, made after all others, that was
reached by an event. Changes are told to those processes in order, so whoever knows the last Trigger knows the others.
*/
import {stringify} from 'yaml';
import {eventually} from '../helpers/eventually.ts';
import type {Carrier} from './plane.ts';
import {binary, post} from './post.ts';
import {probePath, probeType, type Receiver} from './receiver.ts';

export const settle = async ({
  carrier,
  receiver,
  url,
}: Readonly<{carrier: Carrier; receiver: Receiver; url: string}>) => {
  await carrier.apply(
    stringify({
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'Trigger',
      metadata: {name: 'probe', namespace: carrier.namespace},
      spec: {
        broker: 'default',
        filter: {attributes: {type: probeType}},
        subscriber: {uri: `${receiver.url}${probePath}`},
      },
    }),
  );
  await eventually(
    async () => {
      const {status} = await post(url, binary('probe', {type: probeType}));
      if (receiver.at(probePath).length === 0) {
        throw new Error(`no probe has arrived, the Broker answered ${status}`);
      }
    },
    {timeoutMs: 300_000, intervalMs: 200},
  );
};
