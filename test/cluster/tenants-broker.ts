/**
Tenants' Broker: a Trigger on it that asks for no stamp, as charts/tenant had it once.

In: an installation, an organisation. Out: which events in that organisation's name have come through the Broker, whoever sent them. What
is here and not at the organisation's worker was kept from it by the stamp alone.
*/
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import type {ExecutionContext} from 'ava';
import {startReceiver} from '../dataplane/receiver.ts';
import {eventually} from '../helpers/eventually.ts';
import type {Installation} from '../helpers/installation.ts';
import {removeTrigger} from './eventing.ts';
import {patience} from './money.ts';

export const listenUnstamped = async (
  t: ExecutionContext,
  installation: Installation,
  org: string,
) => {
  const {kubectl, cluster, namespace, host} = installation;
  const receiver = await startReceiver(t, {host});
  const name = `unstamped-${randomBytes(4).toString('hex')}`;
  t.teardown(() => removeTrigger(installation, name));
  const trigger = {
    apiVersion: 'eventing.knative.dev/v1',
    kind: 'Trigger',
    metadata: {name, namespace},
    spec: {
      broker: 'tenants',
      filter: {attributes: {orgid: org}},
      subscriber: {uri: `${receiver.url}/${name}`},
    },
  };
  await cluster(['apply', '-f', '-'], JSON.stringify(trigger));
  await kubectl('wait', '--for=condition=Ready', '--timeout=300s', `trigger/${name}`);
  const has = (id: string) => receiver.all().some(one => one.id === id);
  return {
    arrivalOf: (id: string) =>
      eventually(async () => assert.ok(has(id), `${id} did not come through the Broker`), patience),
    /** A Trigger is Ready before the processes that deliver know it. */
    untilKnown: async (post: (id: string) => Promise<unknown>) => {
      let tries = 0;
      await eventually(
        async () => {
          tries += 1;
          await post(`settle-${tries}`);
          assert.ok(receiver.all().length > 0);
        },
        {...patience, intervalMs: 1_000},
      );
    },
  };
};
