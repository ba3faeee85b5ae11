/** Each value of the chart about functions does what its comment says. */
import test from 'ava';
import {
  autoscaling,
  becomes,
  container,
  gateway,
  service,
  variable,
} from '../helpers/chart-cases.ts';

// The first use on a machine builds Helm.
test.before(t => t.timeout(15 * 60_000));
test.beforeEach(t => t.timeout(5 * 60_000));

test(
  'minScale',
  becomes,
  gateway({minScale: 2}),
  service('gateway', autoscaling('min-scale')),
  '2',
);
test(
  'maxScale',
  becomes,
  gateway({maxScale: 33}),
  service('gateway', autoscaling('max-scale')),
  '33',
);
test('target', becomes, gateway({target: 201}), service('gateway', autoscaling('target')), '201');
test(
  'retention',
  becomes,
  gateway({retention: '7m'}),
  service('gateway', autoscaling('scale-to-zero-pod-retention-period')),
  '7m',
);
test(
  'scaleDownDelay',
  becomes,
  gateway({scaleDownDelay: '3m'}),
  service('gateway', autoscaling('scale-down-delay')),
  '3m',
);
test(
  'timeoutSeconds',
  becomes,
  gateway({timeoutSeconds: 599}),
  service('gateway', ({spec}) => spec.template.spec.timeoutSeconds),
  599,
);
test(
  'containerConcurrency',
  becomes,
  gateway({containerConcurrency: 50}),
  service('gateway', ({spec}) => spec.template.spec.containerConcurrency),
  50,
);
const resources = {requests: {cpu: '250m', memory: '256Mi'}, limits: {memory: '1Gi'}};
test(
  'resources of a function',
  becomes,
  gateway({resources}),
  service('gateway', object => container(object).resources),
  resources,
);
test(
  'annotations of its pods',
  becomes,
  gateway({annotations: {'autoscaling.knative.dev/metric': 'rps'}}),
  service('gateway', autoscaling('metric')),
  'rps',
);
test(
  'env, a text',
  becomes,
  gateway({env: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318'}}),
  service('gateway', variable('OTEL_EXPORTER_OTLP_ENDPOINT')),
  [{name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://collector:4318'}],
);
test(
  'env instead of what the manifest has, of another key of the Secret',
  becomes,
  gateway({env: {DATABASE_URL: {secretKey: 'other-url', optional: true}}}),
  service('gateway', variable('DATABASE_URL')),
  [
    {
      name: 'DATABASE_URL',
      valueFrom: {secretKeyRef: {name: 'sluice', key: 'other-url', optional: true}},
    },
  ],
);
test(
  'public gives a function an address outside',
  becomes,
  {functions: {auth: {public: true}}},
  service('auth', ({metadata}) => 'networking.knative.dev/visibility' in metadata.labels),
  false,
);
test(
  'public: false takes it from the front door',
  becomes,
  gateway({public: false}),
  service('gateway', ({metadata}) => metadata.labels['networking.knative.dev/visibility']),
  'cluster-local',
);
test(
  'functionDefaults hold for every function',
  becomes,
  {functionDefaults: {minScale: 1}},
  objects =>
    objects
      .filter(({apiVersion, kind}) => kind === 'Service' && apiVersion.startsWith('serving.'))
      .every(object => autoscaling('min-scale')(object) === '1'),
  true,
);
test(
  'a function says otherwise than functionDefaults',
  becomes,
  {
    functionDefaults: {minScale: 1, env: {A: 'all', B: 'all'}},
    ...gateway({minScale: 3, env: {A: 'own'}}),
  },
  service('gateway', object => [
    autoscaling('min-scale')(object),
    ...variable('A')(object),
    ...variable('B')(object),
  ]),
  ['3', {name: 'A', value: 'own'}, {name: 'B', value: 'all'}],
);
test(
  'a function that is off takes its Triggers, sources and rights along',
  becomes,
  {functions: {registry: {enabled: false}}},
  objects => JSON.stringify(objects).match(/"name":"[a-z-]*registry[a-z-]*"/g) ?? [],
  [],
);
