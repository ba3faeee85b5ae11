/**
Tenant: an organisation with a namespace of its own from charts/tenant, in the installation that all cluster tests share.

In: the test. Out: its namespace, its worker's lines, and a way to post events with its key. Everything goes with the test.
*/
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {readFile} from 'node:fs/promises';
import type {ExecutionContext} from 'ava';
import {createStamps} from '../../events/org-stamp.ts';
import {eventually} from '../helpers/eventually.ts';
import {chartFolder, runTool} from '../helpers/helm.ts';
import type {Installation} from '../helpers/installation.ts';
import {removeTrigger} from './eventing.ts';
import {openMoney, patience} from './money.ts';

export type Line = Readonly<{
  event: string;
  type: string;
  orgid: string;
  source: string;
  stamp?: string;
  status: number;
  text: string;
}>;

export const questionType = 'com.acme.question.asked';
export const probeType = 'com.acme.probe.sent';
export const person = 'ann@acme.example';

const script = new URL('tenant-worker.js', import.meta.url);

export const openTenant = async (t: ExecutionContext, {withWorker = true} = {}) => {
  const money = await openMoney(t);
  const {installation, tenant, model} = money;
  const {namespace: sluice, kubeconfig, cluster, image, services} = installation;
  const name = `tenant-${randomBytes(4).toString('hex')}`;
  const helm = async (command: readonly string[], values?: object) => {
    const {code, stderr} = await runTool(
      'helm',
      ['--kubeconfig', kubeconfig, '--namespace', sluice, ...command],
      {input: JSON.stringify(values ?? {})},
    );
    assert.equal(code, 0, stderr);
  };
  const base = {
    organisation: tenant.org,
    namespace: {name},
    sluice: {url: services.gateway?.url},
    people: {users: [person]},
  };
  const stamp = (await readStamps(installation))(tenant.org);
  t.teardown(() => remove(installation, name, () => helm(['uninstall', name])));
  // As the chart's README says: the namespace, then the key, then what runs with it.
  await helm(['install', name, chartFolder('tenant'), '--values', '-'], base);
  await cluster(['apply', '-f', '-'], JSON.stringify(keySecret(name, tenant.apiKey)));
  if (withWorker) {
    await helm(['upgrade', name, chartFolder('tenant'), '--values', '-'], {
      ...base,
      stamp,
      worker: await workerOf(image, model),
    });
    await cluster([
      ...['-n', name, 'wait', '--for=condition=Ready', '--timeout=300s', 'ksvc/worker'],
    ]);
    await cluster([
      ...['-n', sluice, 'wait', '--for=condition=Ready', '--timeout=120s', 'trigger'],
      ...['-l', `sluice.dev/organisation=${tenant.org}`],
    ]);
  }
  const lines = async (): Promise<readonly Line[]> =>
    (
      await cluster([
        ...['-n', name, 'logs', '-l', 'serving.knative.dev/service=worker'],
        ...['-c', 'user-container', '--tail=-1'],
      ])
    )
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line));
  const pods = async () =>
    (await cluster(['-n', name, 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}']))
      .split(' ')
      .filter(pod => pod !== '');
  return {
    ...money,
    name,
    stamp,
    lines,
    lineOf: (event: string) =>
      eventually(async () => {
        // One that was not answered in time is tried again.
        const line = (await lines()).find(found => found.event === event && found.status !== 0);
        assert.ok(line, `the worker has no line of ${event}`);
        return line;
      }, patience),
    untilZero: () =>
      eventually(async () => assert.deepEqual(await pods(), []), {
        timeoutMs: 300_000,
        intervalMs: 1_000,
      }),
    post: (event: Event, key = tenant.apiKey) => postEvent(installation, key, event),
  };
};

export type Event = Readonly<{
  id: string;
  type: string;
  data?: object;
  extensions?: Record<string, string>;
}>;

/** As `sluice org stamp` makes them, with the key of the installation's Secret. */
const readStamps = async ({kubectl}: Installation) => {
  const key = await kubectl('get', 'secret', 'sluice', '-o', 'jsonpath={.data.stamp-key}');
  return createStamps(Buffer.from(key, 'base64').toString());
};

/** As a producer outside does: its answer is 202 once the event is stored. */
const postEvent = async (
  {fetch, services}: Installation,
  apiKey: string,
  {id, type, data = {}, extensions = {}}: Event,
): Promise<number> => {
  const {status} = await fetch(`${services['events-ingress']?.url}/events`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/cloudevents+json',
    },
    body: JSON.stringify({
      ...{
        specversion: '1.0',
        id,
        source: 'producer',
        type,
        datacontenttype: 'application/json',
        data,
      },
      ...extensions,
    }),
  });
  return status;
};

const workerOf = async (image: string, model: string) => ({
  image,
  command: ['/usr/local/bin/node', '--input-type=module', '--eval'],
  args: [await readFile(script, 'utf8')],
  types: [questionType, probeType],
  env: {FRONT_DOOR: 'kourier.kourier-system.svc.cluster.local:80', MODEL: model},
});

const keySecret = (namespace: string, apiKey: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {name: 'sluice', namespace},
  stringData: {'api-key': apiKey},
});

const remove = async (
  installation: Installation,
  release: string,
  uninstall: () => Promise<void>,
) => {
  const triggers = await installation.kubectl(
    ...['get', 'trigger', '-l', `app.kubernetes.io/instance=${release}`],
    ...['-o', 'jsonpath={.items[*].metadata.name}'],
  );
  for (const trigger of triggers.split(' ').filter(name => name !== '')) {
    await removeTrigger(installation, trigger);
  }
  await uninstall();
};
