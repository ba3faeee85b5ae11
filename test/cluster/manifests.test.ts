/**
The manifests before a real API server with Knative's webhooks: every object is taken, and a copy with one thing broken is not, so that
being taken says something.
*/
import test from 'ava';
import {type Document, objectsOf, openServerSide, podOf} from './server-side.ts';

const minutes = 60_000;
/** kubectl starts a process a call, and the cluster's machine may be busy. */
const patience = 15 * minutes;

for (const folder of ['.', 'broker-kafka', 'kserve']) {
  test.serial(`every object of knative/${folder === '.' ? '' : folder} is taken`, async t => {
    t.timeout(patience);
    const {refusalOf} = await openServerSide(t);
    const objects = objectsOf(folder);
    t.true(objects.length > 0);
    // The accounts are there already.
    const others = objects.filter(({object}) => object.kind !== 'ServiceAccount');
    t.is(await refusalOf(...others.map(({object}) => object)), undefined);
    t.log(`${objects.length} objects`);
  });
}

test.serial('every pod that is made of them is one that the namespace lets in', async t => {
  t.timeout(patience);
  const {refusalOf} = await openServerSide(t);
  const pods = objectsOf()
    .filter(({object}) => object.spec?.template?.spec?.containers)
    .map(({object}) => podOf(object));
  t.true(pods.length > 10);
  t.is(await refusalOf(...pods), undefined);
  const broken = structuredClone(pods[0]);
  broken.spec.containers[0].securityContext.runAsNonRoot = false;
  t.regex((await refusalOf(broken)) ?? 'taken', /violates PodSecurity "restricted:latest"/);
});

const find = (kind: string, name: string): Document =>
  structuredClone(
    objectsOf().find(({object}) => object.kind === kind && object.metadata.name === name)?.object,
  );
const container = (object: Document) => object.spec.template.spec.containers[0];

const broken: readonly [
  title: string,
  kind: string,
  name: string,
  spoil: (object: Document) => void,
  expected: RegExp,
][] = [
  [
    'a Service that may work longer than Knative allows',
    'Service',
    'gateway',
    object => {
      object.spec.template.spec.timeoutSeconds = 601;
    },
    /expected 0 <= 601 <= 600|timeoutSeconds/,
  ],
  [
    'a Service whose scale is a number and no text',
    'Service',
    'gateway',
    object => {
      object.spec.template.metadata.annotations['autoscaling.knative.dev/max-scale'] = 20;
    },
    /annotations/,
  ],
  [
    'a Service whose scale is no number',
    'Service',
    'gateway',
    object => {
      object.spec.template.metadata.annotations['autoscaling.knative.dev/max-scale'] = 'many';
    },
    /max-scale/,
  ],
  [
    'a Service whose pods share the network of their machine',
    'Service',
    'budget',
    object => {
      object.spec.template.spec.hostNetwork = true;
    },
    /hostNetwork/,
  ],
  [
    'a Service with a field that is misspelt',
    'Service',
    'budget',
    object => {
      container(object).readinesProbe = {httpGet: {path: '/healthz'}};
    },
    /readinesProbe/,
  ],
  [
    'a Service that asks for more than it may have',
    'Service',
    'hello',
    object => {
      container(object).resources.limits.memory = '1Mi';
    },
    /memory/,
  ],
  [
    'a Trigger of no Broker',
    'Trigger',
    'hello-requested',
    object => {
      delete object.spec.broker;
    },
    /missing field\(s\): spec\.broker/,
  ],
  [
    'a Trigger that waits for a time that is none',
    'Trigger',
    'hello-requested',
    object => {
      object.spec.delivery.timeout = '60 s';
    },
    /invalid value: 60 s: spec\.delivery\.timeout/,
  ],
  [
    'a Trigger with two dialects in one filter',
    'Trigger',
    'hello-requested',
    object => {
      object.spec.filters = [{exact: {type: 'a'}, prefix: {type: 'a'}}];
    },
    /multiple dialects found/,
  ],
  [
    'a Broker whose delay is no duration',
    'Broker',
    'default',
    object => {
      object.spec.delivery.backoffDelay = '500ms';
    },
    /spec\.delivery\.backoffDelay/,
  ],
  [
    'a source without a sink',
    'ContainerSource',
    'budget-source',
    object => {
      delete object.spec.sink;
    },
    /spec\.sink/,
  ],
  [
    'a source whose container has no image',
    'ContainerSource',
    'budget-source',
    object => {
      delete container(object).image;
    },
    /image/,
  ],
  [
    'a tick at a time that there is none of',
    'PingSource',
    'admin-purge',
    object => {
      object.spec.schedule = '61 3 * * *';
    },
    /schedule/,
  ],
  [
    'a Job that is started again for ever',
    'Job',
    'migrate',
    object => {
      object.spec.template.spec.restartPolicy = 'Always';
    },
    /restartPolicy/,
  ],
];

test.serial('what is broken is refused, each for its reason', async t => {
  t.timeout(patience);
  const {refusalOf} = await openServerSide(t);
  for (const [title, kind, name, spoil, expected] of broken) {
    const object = find(kind, name);
    spoil(object);
    t.regex((await refusalOf(object)) ?? 'taken', expected, title);
  }
});
