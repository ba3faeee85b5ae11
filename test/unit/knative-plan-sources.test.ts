/**
What brings events in besides Triggers: PingSource, SinkBinding, ContainerSource, StatefulSet; where sinks lead; what is refused.
*/
import test from 'ava';
import {ManifestError, parseManifests} from '../../knative/local/plan/manifests.ts';
import {makePlan} from '../../knative/local/plan/plan.ts';

const resource = (apiVersion: string, kind: string, name: string, spec: object, metadata = {}) =>
  JSON.stringify({apiVersion, kind, metadata: {name, namespace: 'here', ...metadata}, spec});

const service = (
  name: string,
  spec: object = {},
  {annotations = {}, ...metadata}: Record<string, object> = {},
) =>
  resource(
    'serving.knative.dev/v1',
    'Service',
    name,
    {
      template: {
        metadata: {annotations},
        spec: {containers: [{image: 'sluice', args: [name]}], ...spec},
      },
    },
    metadata,
  );
const broker = (name: string, metadata = {}, spec = {}) =>
  resource('eventing.knative.dev/v1', 'Broker', name, spec, metadata);
const toService = (name = 'one', more = {}) => ({
  ref: {apiVersion: 'serving.knative.dev/v1', kind: 'Service', name},
  ...more,
});
const toBroker = (name = 'default', more = {}) => ({
  ref: {apiVersion: 'eventing.knative.dev/v1', kind: 'Broker', name, ...more},
});
const ping = (spec: object) =>
  resource('sources.knative.dev/v1', 'PingSource', 'tick', {sink: toService(), ...spec});
const binding = (spec: object, name = 'binds') =>
  resource('sources.knative.dev/v1', 'SinkBinding', name, {sink: toBroker(), ...spec});
const subject = (more: object) => ({
  apiVersion: 'serving.knative.dev/v1',
  kind: 'Service',
  ...more,
});
const trigger = (spec: object, metadata = {}) =>
  resource(
    'eventing.knative.dev/v1',
    'Trigger',
    'takes',
    {broker: 'default', subscriber: toService(), ...spec},
    metadata,
  );
const workload = (kind: 'ContainerSource' | 'StatefulSet', env: object[], spec: object = {}) =>
  resource(kind === 'StatefulSet' ? 'apps/v1' : 'sources.knative.dev/v1', kind, 'reads', {
    template: {spec: {containers: [{image: 'sluice', args: ['source', 'more'], env}]}},
    ...spec,
  });

const plan = (...documents: string[]) =>
  makePlan(
    parseManifests([
      {file: 'a.yaml', text: [service('one'), broker('default'), ...documents].join('\n---\n')},
    ]),
  );

test('a PingSource is a ping with its data read by its content type', t => {
  const {pings} = plan(
    ping({
      schedule: '*/15 2-4 * * mon,3',
      timezone: 'Europe/Berlin',
      contentType: 'application/json',
      data: '{"a": 1}',
      sink: toService('one', {uri: '/tick'}),
      ceOverrides: {extensions: {orgid: 'a'}},
    }),
  );
  t.deepEqual(pings, [
    {
      name: 'tick',
      namespace: 'here',
      schedule: '*/15 2-4 * * mon,3',
      timezone: 'Europe/Berlin',
      contentType: 'application/json',
      data: {a: 1},
      sink: {function: 'one', path: '/tick'},
      extensions: {orgid: 'a'},
    },
  ]);
});

test('a PingSource that says little ticks every minute and sends nothing', t => {
  t.like(plan(ping({})).pings[0], {schedule: '* * * * *', timezone: undefined, data: undefined});
});

test('data of another content type is text, and bytes where it is base64', t => {
  t.is(plan(ping({contentType: 'text/plain', data: 'x'})).pings[0]?.data, 'x');
  const {data} = plan(ping({contentType: 'image/png', dataBase64: 'AAH/'})).pings[0] ?? {};
  t.deepEqual(data, Buffer.from([0, 1, 255]));
  const json = Buffer.from('{"b":2}').toString('base64');
  t.deepEqual(
    plan(ping({contentType: 'application/json; charset=utf-8', dataBase64: json})).pings[0]?.data,
    {b: 2},
  );
});

test('schedules are what Knative and the runner both read', t => {
  for (const schedule of [
    '0 0 1 1 *',
    '0-30/5 * * * *',
    '30 0 12 * * sun-sat',
    '@hourly',
    '1,2,3-5 * * JAN *',
  ]) {
    t.is(plan(ping({schedule})).pings[0]?.schedule, schedule);
  }
});

test('a SinkBinding gives a function its sink by name', t => {
  const {functions} = plan(
    service('two'),
    binding({subject: subject({name: 'one'}), ceOverrides: {extensions: {x: 'y'}}}),
  );
  t.like(functions[0], {name: 'one', sinkOf: {broker: 'here/default'}, extensions: {x: 'y'}});
  t.is(functions[1]?.sinkOf, undefined);
});

test('a SinkBinding finds its functions by labels', t => {
  const {functions} = plan(
    service('two', {}, {labels: {sends: 'yes', more: 'too'}}),
    service('three', {}, {labels: {sends: 'no'}}),
    binding({
      subject: subject({selector: {matchLabels: {sends: 'yes'}}}),
      sink: {uri: 'https://x.test/in'},
    }),
  );
  t.deepEqual(
    functions.map(({sinkOf}) => sinkOf),
    [undefined, {url: 'https://x.test/in'}, undefined],
  );
});

test('a ContainerSource keeps its whole container beside its subscription', t => {
  const {sources, subscriptions} = plan(
    workload(
      'ContainerSource',
      [
        {name: 'SOURCE_TOPIC', value: 'sluice.usage'},
        {
          name: 'SOURCE_TOKEN',
          valueFrom: {secretKeyRef: {name: 'sluice', key: 'source-token', optional: true}},
        },
        {name: 'ABSENT', valueFrom: {configMapKeyRef: {name: 'none', key: 'none', optional: true}}},
      ],
      {sink: toService(), ceOverrides: {extensions: {x: 'y'}}},
    ),
  );
  t.deepEqual(sources, [
    {
      name: 'reads',
      namespace: 'here',
      folder: 'source',
      args: ['source', 'more'],
      env: [
        {name: 'SOURCE_TOPIC', value: 'sluice.usage'},
        {name: 'SOURCE_TOKEN', secret: {name: 'sluice', key: 'source-token', optional: true}},
      ],
      sink: {function: 'one', path: '/'},
      extensions: {x: 'y'},
      replicas: 1,
      reads: {kind: 'log', topic: 'sluice.usage', group: 'reads'},
    },
  ]);
  t.like(subscriptions[0], {name: 'source/sluice.usage/reads', extensions: {x: 'y'}, token: true});
});

test('a source whose Kafka is not optional is a source, and no subscription of the runner itself', t => {
  const brokers = (optional: boolean) => ({
    name: 'KAFKA_BROKERS',
    valueFrom: {secretKeyRef: {name: 'sluice', key: 'kafka-brokers', optional}},
  });
  const planOf = (optional: boolean) =>
    plan(
      workload(
        'ContainerSource',
        [{name: 'SOURCE_TOPIC', value: 'usage.records.v1'}, brokers(optional)],
        {sink: toService()},
      ),
    );
  t.is(planOf(true).subscriptions.length, 1);
  t.is(planOf(false).subscriptions.length, 0);
  t.like(planOf(false).sources[0]?.reads, {kind: 'log', topic: 'usage.records.v1'});
});

test('a StatefulSet reads a stream into the sink of its SinkBinding, and is no subscription', t => {
  const {sources, subscriptions} = plan(
    workload('StatefulSet', [{name: 'REDIS_URL', value: 'redis://r:6379'}], {replicas: 2}),
    binding({subject: {apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'reads'}}),
  );
  t.like(sources[0], {
    sink: {broker: 'here/default'},
    replicas: 2,
    reads: {kind: 'stream', stream: 'stream:zweistein', group: 'group:zweistein'},
  });
  t.deepEqual(subscriptions, []);
});

test('a Service says how long, how many and whether it may go to zero', t => {
  const spec = {
    timeoutSeconds: 60,
    responseStartTimeoutSeconds: 20,
    idleTimeoutSeconds: 10,
    containerConcurrency: 3,
  };
  const annotations = {'autoscaling.knative.dev/min-scale': '1'};
  t.like(plan(service('two', spec, {annotations})).functions[1], {...spec, minScale: 1});
});

test('Brokers of one name live in several namespaces, and events go to the one that is meant', t => {
  const there = {namespace: 'there'};
  const {brokers, subscriptions} = plan(
    broker('default', there),
    trigger({subscriber: toBroker('default', there)}),
    trigger({subscriber: {uri: 'https://x.test/'}}, there),
  );
  t.deepEqual(brokers, [
    {namespace: 'here', name: 'default', topic: 'broker:default'},
    {namespace: 'there', name: 'default', topic: 'broker:there/default'},
  ]);
  t.like(subscriptions, [
    {origin: 'broker:default', sink: {broker: 'there/default'}},
    {origin: 'broker:there/default', sink: {url: 'https://x.test/'}},
  ]);
});

test('a source passes over the types that it does not name', t => {
  const filterOf = (...env: object[]) =>
    plan(
      workload('ContainerSource', [{name: 'SOURCE_TOPIC', value: 'log'}, ...env], {
        sink: toService(),
      }),
    ).subscriptions[0]?.filter;
  t.deepEqual(filterOf(), {dialect: 'all', filters: []});
  t.deepEqual(filterOf({name: 'SOURCE_TYPES', value: 'a.b, c.d'}), {
    dialect: 'any',
    filters: [
      {dialect: 'exact', attributes: {type: 'a.b'}},
      {dialect: 'exact', attributes: {type: 'c.d'}},
    ],
  });
});

test('a Trigger that asks for order is ordered', t => {
  const order = (value: string) => ({
    annotations: {'kafka.eventing.knative.dev/delivery.order': value},
  });
  t.true(plan(trigger({}, order('ordered'))).subscriptions[0]?.ordered);
  t.false(plan(trigger({}, order('unordered'))).subscriptions[0]?.ordered);
});

const refused = test.macro((t, document: string | string[], expected: RegExp) => {
  const error = t.throws(() => plan(...[document].flat()), {instanceOf: ManifestError});
  t.deepEqual(error?.complaints.length, 1, error?.message);
  t.regex(error?.complaints[0] ?? '', /^a\.yaml:\d+: /);
  t.regex(error?.complaints[0] ?? '', expected);
});

for (const schedule of [
  '* * * *',
  '*  * * * *',
  '60 * * * *',
  '* * 0 * *',
  '* * * * 7',
  '5/10 * * * *',
  '*/0 * * * *',
  '? * * * *',
  '* * L * *',
  '5-1 * * * *',
  '* * * foo *',
  '@every 1h',
  '@reboot',
]) {
  test(
    `the schedule ${schedule} is refused`,
    refused,
    ping({schedule}),
    /^a\.yaml:5: PingSource tick: /,
  );
}
for (const timezone of ['Berlin', 'Europe/Nowhere', '+01:00', 'europe/berlin', 'Europe/berlin']) {
  test(`the time zone ${timezone} is refused`, refused, ping({timezone}), /no time zone/);
}
const json = {contentType: 'application/json'};
test('data of two kinds', refused, ping({...json, data: '{}', dataBase64: 'e30='}), /say one$/);
test('data without a content type', refused, ping({data: '{}'}), /data without contentType/);
test('data that is not the JSON it says', refused, ping({...json, data: '{'}), /data is not JSON/);
test(
  'data that is JSON and no object',
  refused,
  ping({...json, data: '1'}),
  /to be a JSON object$/,
);
test('base64 that is none', refused, ping({contentType: 'a/b', dataBase64: 'x'}), /is not base64$/);
test(
  'an override of a required attribute',
  refused,
  ping({ceOverrides: {extensions: {id: 'x'}}}),
  /id is no name of an extension/,
);
test(
  'an override that is no text',
  refused,
  ping({ceOverrides: {extensions: {n: 1}}}),
  /to be a text; quote it$/,
);

test(
  'a binding of nothing',
  refused,
  binding({subject: subject({name: 'two'})}),
  /there is no Service two to bind$/,
);
test(
  'a binding of an empty selector',
  refused,
  binding({subject: subject({selector: {matchLabels: {}}})}),
  /would bind everything$/,
);
test(
  'a binding by name and labels',
  refused,
  binding({subject: subject({name: 'one', selector: {matchLabels: {a: 'b'}}})}),
  /and not both$/,
);
test(
  'a binding into another namespace',
  refused,
  binding({subject: subject({name: 'one', namespace: 'there'})}),
  /in its own namespace only$/,
);
test(
  'a binding of a Deployment',
  refused,
  binding({subject: {apiVersion: 'apps/v1', kind: 'Deployment', name: 'one'}}),
  /got apps\/v1 Deployment$/,
);
test(
  'two bindings of one function',
  refused,
  [binding({subject: subject({name: 'one'})}), binding({subject: subject({name: 'one'})}, 'too')],
  /SinkBinding too: Service one is bound by another/,
);
test(
  'a StatefulSet that nothing binds',
  refused,
  workload('StatefulSet', [{name: 'SOURCE_STREAM', value: 's'}]),
  /expected a SinkBinding/,
);

test(
  'a core Service as sink',
  refused,
  trigger({subscriber: {ref: {apiVersion: 'v1', kind: 'Service', name: 'one'}}}),
  /a function is a serving.knative.dev\/v1 Service, got v1 Service/,
);
test(
  'a Broker that is not there',
  refused,
  trigger({subscriber: toBroker('none')}),
  /there is no Broker none in the namespace here$/,
);
test(
  'a path beside a Broker',
  refused,
  trigger({subscriber: {...toBroker(), uri: '/x'}}),
  /a Broker has one path/,
);
test(
  'a uri that leaves its host',
  refused,
  trigger({subscriber: toService('one', {uri: '//x.test/'})}),
  /to be a path$/,
);
test(
  'a sink with an audience',
  refused,
  trigger({subscriber: toService('one', {audience: 'x'})}),
  /spec\.subscriber\.audience is not honoured here: OIDC/,
);
test(
  'a delivery with a format',
  refused,
  trigger({delivery: {format: 'json'}}),
  /spec\.delivery\.format is not honoured here: the Kafka class ignores it/,
);
test(
  'a Trigger by brokerRef',
  refused,
  trigger({brokerRef: {name: 'default', namespace: 'there'}}),
  /spec\.brokerRef is not honoured here: .*; use broker,/,
);
test(
  'a filter in CESQL says what to use',
  refused,
  trigger({filters: [{cesql: 'TRUE'}]}),
  /say it with exact, prefix/,
);
test(
  'a Broker of another class',
  refused,
  broker('two', {annotations: {'eventing.knative.dev/broker.class': 'RabbitMQ'}}),
  /class RabbitMQ is not run here; use MTChannelBasedBroker or Kafka/,
);
test(
  'an order that is none',
  refused,
  trigger({}, {annotations: {'kafka.eventing.knative.dev/delivery.order': 'yes'}}),
  /to be ordered or unordered, got yes$/,
);
test(
  'a timeout beyond the maximum',
  refused,
  service('two', {timeoutSeconds: 601}),
  /expected timeoutSeconds from 0 to 600, got 601$/,
);
test(
  'a first byte later than the end',
  refused,
  service('two', {timeoutSeconds: 60, responseStartTimeoutSeconds: 61}),
  /expected responseStartTimeoutSeconds from 0 to 60/,
);
test(
  'a scale that is no text',
  refused,
  service('two', {}, {annotations: {'autoscaling.knative.dev/min-scale': 1 as never}}),
  /whole number in quotes, got 1$/,
);

for (const [apiVersion, kind, instead] of [
  ['messaging.knative.dev/v1', 'Channel', 'a Broker and Triggers'],
  ['messaging.knative.dev/v1', 'InMemoryChannel', 'a Broker and Triggers'],
  ['messaging.knative.dev/v1', 'Subscription', 'a Trigger'],
  ['flows.knative.dev/v1', 'Sequence', 'one Trigger a step'],
  ['flows.knative.dev/v1', 'Parallel', 'one Trigger a branch'],
  ['sources.knative.dev/v1', 'KafkaSource', 'a ContainerSource'],
  ['sources.knative.dev/v1beta1', 'KafkaSource', 'a ContainerSource'],
  ['sources.knative.dev/v1alpha1', 'RedisStreamSource', 'a ContainerSource'],
  ['sinks.knative.dev/v1alpha1', 'RedisStreamSink', 'a function as subscriber'],
  ['eventing.knative.dev/v1alpha1', 'KafkaSink', 'a function as subscriber'],
  ['sinks.knative.dev/v1alpha1', 'IntegrationSink', 'a function as subscriber'],
  ['sinks.knative.dev/v1alpha1', 'JobSink', 'a function with the timeoutSeconds'],
  ['eventing.knative.dev/v1alpha1', 'EventPolicy', 'SOURCE_TOKEN'],
  ['eventing.knative.dev/v1alpha1', 'EventTransform', 'a function that replies'],
  ['eventing.knative.dev/v1alpha1', 'RequestReply', 'an HTTP call'],
] as const) {
  test(
    `${apiVersion} ${kind} is refused with a reason and what to use instead`,
    refused,
    resource(apiVersion, kind, 'x', {}),
    new RegExp(`${kind} is not run here: .+; use ${instead}`),
  );
}

for (const [apiVersion, kind] of [
  ['batch/v1', 'Job'],
  ['sources.knative.dev/v1', 'ApiServerSource'],
  ['v1', 'ServiceAccount'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
] as const) {
  test(`${apiVersion} ${kind} concerns the cluster alone: the plan is the same with it`, t => {
    const document = resource(apiVersion, kind, 'of-the-cluster', {any: {field: ['it', 'has']}});
    t.deepEqual(plan(document), plan());
  });
}
