import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {ManifestError, parseManifests, readManifests} from '../../knative/local/plan/manifests.ts';
import {makePlan} from '../../knative/local/plan/plan.ts';

const service = (name: string, more = '') => `apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: ${name}
  annotations: {sluice.dev/paths: "/v1, /other"}
spec:
  template:
    spec:
      containers:
        - image: sluice
          args: [folder-of-${name}]
          env:
            - {name: PLAIN, value: "text"}
            - {name: SECRET, valueFrom: {secretKeyRef: {name: sluice, key: admin-key}}}
            - {name: MAPPED, valueFrom: {configMapKeyRef: {name: settings, key: level}}}
${more}`;
const broker = `apiVersion: eventing.knative.dev/v1
kind: Broker
metadata: {name: default}
spec: {delivery: {retry: 7, backoffPolicy: exponential, backoffDelay: PT1S, deadLetterSink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: one}, uri: /dead}}}
`;
const settings = `apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {level: debug}
`;
const trigger = (spec: string) => `apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata:
  name: listens
spec:
${spec}`;
const subscriber =
  '  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: one}}\n';
const source = (env: string, sink = 'one') => `apiVersion: sources.knative.dev/v1
kind: ContainerSource
metadata: {name: reads}
spec:
  sink: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: ${sink}}, uri: /events}
  template:
    spec:
      containers:
        - image: sluice
          env: ${env}
`;

const plan = (...documents: string[]) =>
  makePlan(parseManifests([{file: 'a.yaml', text: documents.join('---\n')}]));
const base = [service('one'), settings, broker];

const complaints = (t: ExecutionContext, make: () => unknown) =>
  t.throws(make, {instanceOf: ManifestError})?.complaints ?? [];

test('the manifests of this project make a plan', async t => {
  const folder = fileURLToPath(new URL('../../knative', import.meta.url));
  const {functions, brokers, subscriptions} = makePlan(await readManifests(folder));
  t.true(functions.some(({name, paths}) => name === 'gateway' && paths.includes('/v1')));
  t.deepEqual(
    brokers.map(({name}) => name),
    ['default', 'tenants'],
  );
  const sources = subscriptions.filter(({kind}) => kind === 'source');
  t.deepEqual(
    sources.map(({name}) => name),
    ['source/sluice.usage/budget', 'source/sluice.usage/usage'],
  );
  t.true(sources.every(({token, origin}) => token && origin === 'log:sluice.usage'));
});

test('a Service is a function with its environment', t => {
  t.deepEqual(plan(...base).functions, [
    {
      name: 'one',
      namespace: 'default',
      folder: 'folder-of-one',
      env: [
        {name: 'PLAIN', value: 'text'},
        {name: 'SECRET', secret: {name: 'sluice', key: 'admin-key'}},
        {name: 'MAPPED', value: 'debug'},
      ],
      paths: ['/v1', '/other'],
      timeoutSeconds: 300,
      containerConcurrency: 0,
      minScale: 0,
    },
  ]);
});

test("a Trigger without delivery has the Broker's, and its dead letter sink in any case", t => {
  const own = '  delivery: {retry: 1}\n';
  const [inherits] = plan(...base, trigger(`  broker: default\n${subscriber}`)).subscriptions;
  const [replaces] = plan(...base, trigger(`  broker: default\n${subscriber}${own}`)).subscriptions;
  t.like(inherits, {
    name: 'trigger/default/listens',
    origin: 'broker:default',
    sink: {function: 'one', path: '/'},
    batchMax: 1,
  });
  t.like(inherits?.policy, {retries: 7, backoffMs: 1_000});
  t.like(replaces?.policy, {retries: 1, backoffMs: 0});
  t.deepEqual(replaces?.deadLetterSink, {function: 'one', path: '/dead'});
});

test('a Trigger sends no more at once than its function takes', t => {
  const narrow = service('one', '      containerConcurrency: 2\n');
  t.like(
    plan(narrow, settings, broker, trigger(`  broker: default\n${subscriber}`)).subscriptions,
    [{concurrency: 2}],
  );
});

test('a ContainerSource is a subscription to a log', t => {
  const env =
    '[{name: SOURCE_TOPIC, value: t.usage}, {name: SOURCE_GROUP, value: g}, {name: SOURCE_BATCH_MAX, value: "20"}, {name: SOURCE_TOKEN, valueFrom: {secretKeyRef: {name: s, key: source-token}}}]';
  t.like(plan(...base, source(env)).subscriptions, [
    {
      name: 'source/t.usage/g',
      kind: 'source',
      origin: 'log:t.usage',
      sink: {function: 'one', path: '/events'},
      policy: {retries: Number.POSITIVE_INFINITY},
      batchMax: 20,
      concurrency: 1,
      token: true,
    },
  ]);
  const [bare] = plan(...base, source('[{name: SOURCE_TOPIC, value: t}]')).subscriptions;
  t.like(bare, {name: 'source/t/reads', batchMax: 500, token: false});
});

const refused = test.macro((t, documents: string[], ...expected: RegExp[]) => {
  const found = complaints(t, () => plan(...documents));
  t.is(found.length, expected.length, found.join('\n'));
  for (const [index, pattern] of expected.entries()) {
    t.regex(found[index] ?? '', pattern);
  }
});

const sqs = 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n';
test(
  'a kind that is not run here',
  refused,
  [service('one'), sqs],
  /^a\.yaml:18: apps\/v1 Deployment is not run here; known are /,
);
test(
  'a kind in a version that is not run here',
  refused,
  ['apiVersion: eventing.knative.dev/v1beta1\nkind: Broker\nmetadata: {name: d}\n'],
  /^a\.yaml:2: /,
);
test(
  'a field that nothing here honours',
  refused,
  [trigger(`  broker: default\n${subscriber}  delivery:\n    retry: 1\n    retryAfterMax: PT1S\n`)],
  /^a\.yaml:10: spec\.delivery\.retryAfterMax is not honoured here: its feature flag is off by default.*; use backoffPolicy/,
);
test(
  'a field of a container that nothing here honours',
  refused,
  [service('one', '          volumeMounts: []\n')],
  /^a\.yaml:16: spec\.template\.spec\.containers\.0\.volumeMounts /,
);
test(
  'a placeholder',
  refused,
  [settings.replace('debug', '"$' + '{LEVEL}"')],
  /^a\.yaml:4: data\.level has a placeholder/,
);
test('a document that is no YAML', refused, ['a: [1\n'], /^a\.yaml:\d+: /);
test(
  'the same resource twice',
  refused,
  [settings, settings],
  /^a\.yaml:6: ConfigMap default\/settings is already at a\.yaml:1$/,
);
test(
  'a Trigger of a Broker that is not there',
  refused,
  [...base, trigger(`  broker: missing\n${subscriber}`)],
  /^a\.yaml:32: Trigger listens: there is no Broker missing in the namespace default$/,
);
test(
  'a subscriber that is not there',
  refused,
  [
    ...base,
    trigger(
      '  broker: default\n  subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: two}}\n',
    ),
  ],
  /there is no Service two in the namespace default$/,
);
test(
  'a subscriber of another kind',
  refused,
  [
    ...base,
    trigger(
      '  broker: default\n  subscriber: {ref: {apiVersion: messaging.knative.dev/v1, kind: Channel, name: c}}\n',
    ),
  ],
  /expected a ref to a serving\.knative\.dev\/v1 Service or an eventing\.knative\.dev\/v1 Broker, got messaging\.knative\.dev\/v1 Channel$/,
);
test(
  'a filter in CloudEvents SQL',
  refused,
  [...base, trigger(`  broker: default\n${subscriber}  filters:\n    - cesql: "TRUE"\n`)],
  /^a\.yaml:35: Trigger listens: CloudEvents SQL/,
);
test(
  'a delivery that cannot be read',
  refused,
  [...base, trigger(`  broker: default\n${subscriber}  delivery:\n    retry: many\n`)],
  /^a\.yaml:35: Trigger listens: retry is a whole number/,
);
test(
  'a source without a log',
  refused,
  [...base, source('[]')],
  /ContainerSource reads: expected the variable SOURCE_TOPIC/,
);
test(
  'a source whose batch is too large',
  refused,
  [...base, source('[{name: SOURCE_TOPIC, value: t}, {name: SOURCE_BATCH_MAX, value: "501"}]')],
  /expected SOURCE_BATCH_MAX of reads from 1 to 500$/,
);
test(
  'a variable that is not quoted',
  refused,
  [...base, source('[{name: SOURCE_TOPIC, value: 7}]')],
  /expected the value of SOURCE_TOPIC to be a text; quote it$/,
);
test(
  'a ConfigMap that is not there',
  refused,
  [service('one')],
  /^a\.yaml:15: Service one: there is no key level in a ConfigMap settings$/,
);
test(
  'two sources in one group',
  refused,
  [
    ...base,
    source('[{name: SOURCE_TOPIC, value: t}, {name: SOURCE_GROUP, value: g}]'),
    source('[{name: SOURCE_TOPIC, value: t}, {name: SOURCE_GROUP, value: g}]').replace(
      'name: reads',
      'name: too',
    ),
  ],
  /^a\.yaml:\d+: two consumers are called source\/t\/g/,
);
test(
  'all complaints come at once',
  refused,
  [...base, trigger(`  broker: missing\n${subscriber}`), source('[]')],
  /missing/,
  /SOURCE_TOPIC/,
);
