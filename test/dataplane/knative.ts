/**
Knative: the same on a real cluster, a namespace a test. Wants `kubectl`, a kubeconfig in `SLUICE_TEST_KNATIVE` and, where pods
reach this machine by another address than the cluster's node, `SLUICE_TEST_KNATIVE_HOST`.
*/
import {execFile} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import type {Carrier} from './plane.ts';

const run = promisify(execFile);

export const kubectl = async (args: readonly string[], input?: string): Promise<string> => {
  const running = run('kubectl', [`--kubeconfig=${process.env.SLUICE_TEST_KNATIVE}`, ...args]);
  if (input !== undefined) {
    running.child.stdin?.end(input);
  }
  return (await running).stdout.trim();
};

export const openKnative = async (t: ExecutionContext): Promise<Carrier> => {
  const namespace = `dataplane-${randomBytes(4).toString('hex')}`;
  await kubectl(['create', 'namespace', namespace]);
  t.teardown(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));
  const host = process.env.SLUICE_TEST_KNATIVE_HOST ?? '10.243.0.1';
  return {
    kind: 'knative',
    namespace,
    host,
    async apply(manifests) {
      await kubectl(['apply', '-f', '-'], manifests);
      for (const resources of [['broker/default'], ['trigger', '--all']]) {
        await kubectl([
          ...['-n', namespace, 'wait', '--for=condition=Ready', '--timeout=600s'],
          ...resources,
        ]);
      }
      const address = await kubectl([
        ...['-n', 'knative-eventing', 'get', 'service', 'broker-ingress'],
        ...['-o', 'jsonpath={.spec.clusterIP}'],
      ]);
      return `http://${address}/${namespace}/default`;
    },
  };
};
