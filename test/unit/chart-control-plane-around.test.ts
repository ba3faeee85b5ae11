/** What the chart puts around the functions: migration, secrets, domains, edge, monitoring. */
import test from 'ava';
import {autoscaling, becomes, chart, container, has, one} from '../helpers/chart-cases.ts';
import {environments} from '../helpers/control-plane.ts';
import {type KubernetesObject, template} from '../helpers/helm.ts';

// The first use on a machine builds Helm.
test.before(t => t.timeout(15 * 60_000));
test.beforeEach(t => t.timeout(5 * 60_000));

test('no migration', becomes, {migration: {enabled: false}}, has('Job', 'migrate'), false);
test(
  'the tries and the time of a migration',
  becomes,
  {migration: {backoffLimit: 0, activeDeadlineSeconds: 61, ttlSecondsAfterFinished: 62}},
  objects => {
    const {spec} = one(objects, 'Job', 'migrate');
    return [spec.backoffLimit, spec.activeDeadlineSeconds, spec.ttlSecondsAfterFinished];
  },
  [0, 61, 62],
);
test(
  'disruption budgets of a function and a source',
  becomes,
  {podDisruptionBudgets: {gateway: {maxUnavailable: 1}, 'outbox-source': {minAvailable: 1}}},
  objects => objects.filter(({kind}) => kind === 'PodDisruptionBudget').map(({spec}) => spec),
  [
    {selector: {matchLabels: {'serving.knative.dev/service': 'gateway'}}, maxUnavailable: 1},
    {
      selector: {matchLabels: {'sources.knative.dev/containerSource': 'outbox-source'}},
      minAvailable: 1,
    },
  ],
);
test(
  "tenants' domains, and their claims",
  becomes,
  {
    domains: [
      {host: 'api.acme.example', tlsSecretName: 'acme-tls'},
      {host: 'e.acme.example', function: 'events-ingress'},
    ],
    domainClaims: true,
  },
  objects => [
    ...objects
      .filter(({kind}) => kind === 'DomainMapping')
      .map(({metadata, spec}) => [metadata.name, spec.ref.name, spec.tls?.secretName]),
    ...objects
      .filter(({kind}) => kind === 'ClusterDomainClaim')
      .map(({metadata, spec}) => [metadata.name, spec.namespace]),
  ],
  [
    ['api.acme.example', 'gateway', 'acme-tls'],
    ['e.acme.example', 'events-ingress', undefined],
    ['api.acme.example', 'sluice'],
    ['e.acme.example', 'sluice'],
  ],
);
test(
  'what the Prometheus asks: functions and sources on their own ports',
  becomes,
  {monitoring: {enabled: true, interval: '15s', labels: {release: 'prometheus'}, queueProxy: true}},
  objects =>
    objects
      .filter(({kind}) => /Monitor$/.test(kind))
      .map(({metadata, spec}) => {
        const [endpoint] = spec.podMetricsEndpoints ?? spec.endpoints;
        return [metadata.name, metadata.labels.release, endpoint.port, endpoint.interval];
      })
      .sort(),
  [
    ['functions', 'prometheus', 'user-port', '15s'],
    ['queue-proxy', 'prometheus', 'http-usermetric', '15s'],
    ['sources', 'prometheus', undefined, '15s'],
  ],
);
test(
  'KServe',
  becomes,
  {kserve: {enabled: true}},
  has('ApiServerSource', 'registry-inferenceservices'),
  true,
);
test(
  'an external secret, as a hook that leaves the Secret alone',
  becomes,
  {
    secretName: 'theirs',
    externalSecret: {enabled: true, from: 'prod/sluice', keys: {'admin-key': {key: 'prod/admin'}}},
  },
  objects => objects.find(({kind}) => kind === 'ExternalSecret')?.spec,
  {
    refreshInterval: '1h',
    secretStoreRef: {name: 'gcp-store', kind: 'ClusterSecretStore'},
    target: {name: 'theirs', creationPolicy: 'Orphan'},
    dataFrom: [{extract: {key: 'prod/sluice'}}],
    data: [{secretKey: 'admin-key', remoteRef: {key: 'prod/admin'}}],
  },
);

const edge = {enabled: true, host: 'api.example.com', gateway: {name: 'public', namespace: 'edge'}};
test(
  'the edge has one rule a function that is on it, by its name in the cluster',
  becomes,
  {edge: {...edge, functions: ['gateway', 'auth', 'budget']}},
  objects =>
    objects
      .find(({kind}) => kind === 'HTTPRoute')
      ?.spec.rules.map((rule: KubernetesObject) => [
        rule.matches.map(({path}: KubernetesObject) => path.value),
        rule.filters[0].urlRewrite.hostname,
        rule.backendRefs[0].name,
      ]),
  [
    [['/verify', '/auth'], 'auth.sluice.svc.cluster.local', 'kourier-internal'],
    [['/v1'], 'gateway.sluice.svc.cluster.local', 'kourier-internal'],
  ],
);

test(
  "the edge's longest request, Knative's gateway and the cluster's domain",
  becomes,
  {
    edge: {
      ...edge,
      functions: ['gateway'],
      timeout: '900s',
      clusterDomain: 'example.internal',
      backend: {name: 'internal', namespace: 'istio-system', port: 8080},
    },
  },
  objects =>
    objects
      .find(({kind}) => kind === 'HTTPRoute')
      ?.spec.rules.map(({timeouts, filters, backendRefs}: KubernetesObject) => [
        timeouts.request,
        filters[0].urlRewrite.hostname,
        backendRefs,
      ]),
  [
    [
      '900s',
      'gateway.sluice.svc.example.internal',
      [{name: 'internal', namespace: 'istio-system', port: 8080}],
    ],
  ],
);
test(
  'annotations of every object that comes from a manifest, beside its own',
  becomes,
  {commonAnnotations: {'example.com/owner': 'platform'}},
  objects =>
    [one(objects, 'Service', 'gateway'), one(objects, 'Trigger', 'hello-requested')].map(
      ({metadata: {annotations = {}}}) => [
        annotations['example.com/owner'],
        annotations['sluice.dev/paths'],
      ],
    ),
  [
    ['platform', '/v1'],
    ['platform', undefined],
  ],
);
test(
  'how long the test lets functions wake',
  becomes,
  {tests: {timeoutSeconds: 77}},
  objects => one(objects, 'Pod', 'health').spec.activeDeadlineSeconds,
  77,
);

test('unless said, the edge has neither the template functions nor what has no path', async t => {
  const objects = await template(chart, {values: {edge}});
  const paths = one(objects, 'HTTPRoute', 'sluice').spec.rules.flatMap((rule: KubernetesObject) =>
    rule.matches.map(({path}: KubernetesObject) => path.value),
  );
  t.true(paths.includes('/v1') && paths.includes('/events'));
  t.false(
    paths.some((path: string) => ['/hello', '/world', '/metrics', '/healthz', '/'].includes(path)),
  );
});

test('production has two gateways that are never both taken, Kafka, policies, and only v1 of external secrets', async t => {
  const objects = await template(chart, {files: ['values-production.yaml']});
  const shown = one(objects, 'Service', 'gateway');
  t.is(autoscaling('min-scale')(shown), '2');
  t.deepEqual(one(objects, 'PodDisruptionBudget', 'gateway').spec.maxUnavailable, 1);
  t.is(
    one(objects, 'Broker', 'default').metadata.annotations['eventing.knative.dev/broker.class'],
    'Kafka',
  );
  t.is(one(objects, 'ExternalSecret', 'sluice').apiVersion, 'external-secrets.io/v1');
  t.true(has('NetworkPolicy', 'default-deny')(objects));
  t.false(has('Service', 'hello')(objects));
  t.false(JSON.stringify(objects).includes('external-secrets.io/v1beta1'));
});

test('the migration and its Secret are hooks of Helm and of Argo CD, the Secret first; nothing else is', async t => {
  const values = {secret: {create: true, data: {'admin-key': 'x'.repeat(16)}}};
  const objects = await template(chart, {values});
  const hooks = objects
    .filter(({metadata}) => metadata.annotations?.['helm.sh/hook'] !== undefined)
    .filter(({metadata}) => metadata.annotations['helm.sh/hook'] !== 'test')
    .map(({kind, metadata: {annotations}}) => ({kind, annotations}));
  const both = (events: string, weight: string, gone: '' | 'succeeded') => ({
    'helm.sh/hook': events,
    'helm.sh/hook-weight': weight,
    'helm.sh/hook-delete-policy': `before-hook-creation${gone && ',hook-succeeded'}`,
    'argocd.argoproj.io/hook': 'PreSync',
    'argocd.argoproj.io/hook-delete-policy': `BeforeHookCreation${gone && ',HookSucceeded'}`,
    'argocd.argoproj.io/sync-wave': weight,
  });
  t.deepEqual(hooks, [
    {kind: 'Secret', annotations: both('pre-install,pre-upgrade,pre-rollback', '-10', '')},
    {kind: 'Job', annotations: both('pre-install,pre-upgrade', '0', 'succeeded')},
  ]);
  const job = one(objects, 'Job', 'migrate');
  t.deepEqual(job.spec.template.spec.initContainers[0].args, ['wait-for']);
  t.deepEqual(container(job).args, ['migrate']);
});

test('a secret is in the Secret and nowhere else', async t => {
  const canary = 'canary-of-a-secret';
  const values = {secret: {create: true, data: {'admin-key': canary}}};
  const objects = await template(chart, {values});
  const holders = objects.filter(object =>
    [canary, Buffer.from(canary).toString('base64')].some(text =>
      JSON.stringify(object).includes(text),
    ),
  );
  t.deepEqual(
    holders.map(({kind}) => kind),
    ['Secret'],
  );
  t.false(JSON.stringify(holders[0]?.metadata).includes(canary));
  t.is(objects.filter(({kind}) => kind === 'ConfigMap').length, 0);
});

test('pods are of one kind: not root, nothing that is written, no rights that are not asked for', async t => {
  for (const environment of environments) {
    for (const object of await template(chart, {files: [`values-${environment}.yaml`]})) {
      const pod = object.spec?.template?.spec ?? (object.kind === 'Pod' ? object.spec : undefined);
      for (const each of [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])]) {
        t.like(
          each.securityContext,
          {runAsNonRoot: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false},
          `${environment} ${object.kind} ${object.metadata.name}`,
        );
      }
    }
  }
});
