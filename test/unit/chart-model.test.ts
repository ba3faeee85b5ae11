/** What charts/model makes of its values. */
import {readFileSync} from 'node:fs';
import test from 'ava';
import {parse} from 'yaml';
import {wishOf} from '../../functions/registry/kubernetes/annotations.ts';
import {parseRegistration} from '../../functions/registry/registration.ts';
import {chartFolder, type KubernetesObject, lint, template} from '../helpers/helm.ts';

// The first use on a machine builds Helm.
test.beforeEach(t => t.timeout(15 * 60_000));

const chart = chartFolder('model');
const environments = ['development', 'staging', 'production'] as const;
const scenarios = {
  vllm: (environment: string) => [`values-${environment}.yaml`, 'ci/vllm-values.yaml'],
  kserve: () => ['ci/inference-service-values.yaml'],
  path: () => ['ci/path-values.yaml'],
};

const renderVllm = (values: object = {}, environment = 'production') =>
  template(chart, {
    release: 'qwen',
    namespace: 'system',
    files: scenarios.vllm(environment),
    values,
  });
const render = (scenario: 'kserve' | 'path', values: object = {}) =>
  template(chart, {release: 'qwen', namespace: 'system', files: scenarios[scenario](), values});

const find = (objects: readonly KubernetesObject[], kind: string) =>
  objects.find(object => object.kind === kind);
const kinds = (objects: readonly KubernetesObject[]) => objects.map(({kind}) => kind).sort();
const podOf = (objects: readonly KubernetesObject[]) => find(objects, 'Deployment').spec.template;
const containerOf = (objects: readonly KubernetesObject[]) => podOf(objects).spec.containers[0];

/** What the registry makes of an object. */
const registered = (object: KubernetesObject) => {
  const wish = wishOf(object, 'http://model.test');
  return 'refused' in wish ? wish.refused : wish.registration;
};

test('Helm finds nothing to complain of', async t => {
  for (const files of [...environments.map(scenarios.vllm), scenarios.kserve(), scenarios.path()]) {
    const {code, stdout, stderr} = await lint(chart, {files});
    t.is(code, 0, stdout + stderr);
    t.is(stderr.match(/warning.*/i), null);
  }
});

test('its version is the one of the package', t => {
  const {version} = JSON.parse(readFileSync('package.json', 'utf8'));
  const text = readFileSync(`${chart}/Chart.yaml`, 'utf8');
  t.true(text.includes(`\nversion: ${version}\nappVersion: ${version}\n`));
});

test('a model is a Deployment, a Service, a ConfigMap and a NetworkPolicy, and what was asked for beside', async t => {
  const own = ['ConfigMap', 'Deployment', 'NetworkPolicy', 'Service'];
  const without = {quota: {enabled: false}};
  t.deepEqual(kinds(await renderVllm(without, 'development')), own);
  t.deepEqual(kinds(await renderVllm(without, 'staging')), [...own, 'ServiceMonitor']);
  t.deepEqual(
    kinds(await renderVllm()),
    [
      ...own,
      'HorizontalPodAutoscaler',
      'PodDisruptionBudget',
      'ResourceQuota',
      'ServiceMonitor',
    ].sort(),
  );
  t.deepEqual(kinds(await render('path')), [...own, 'PersistentVolumeClaim'].sort());
  t.deepEqual(kinds(await render('kserve', {monitoring: {enabled: true}})), [
    'ConfigMap',
    'InferenceService',
    'NetworkPolicy',
  ]);
});

test('every object is called {model}-{environment}, in the namespace of the release', async t => {
  const names: Record<string, string> = {
    ResourceQuota: 'models',
    PersistentVolumeClaim: 'bge-m3-development-cache',
  };
  for (const [name, objects] of [
    ['qwen3-8b-production', await renderVllm()],
    ['qwen3-8b-staging', await renderVllm({}, 'staging')],
    ['qwen3-8b-dev', await renderVllm({environment: 'dev'}, 'development')],
    ['qwen3-8b-development', await render('kserve')],
    ['bge-m3-development', await render('path')],
  ] as const) {
    for (const {kind, metadata} of objects) {
      t.is(metadata.name, names[kind] ?? name, kind);
      t.is(metadata.namespace, 'system', kind);
    }
  }
});

test('the registry reads the Service as the model, by the name that clients say', async t => {
  const service = find(await renderVllm(), 'Service');
  t.is(service.metadata.labels['sluice.dev/model'], 'qwen3-8b');
  t.deepEqual(service.spec.ports, [{name: 'http', port: 80, targetPort: 'http'}]);
  t.deepEqual(
    registered(service),
    parseRegistration({
      name: 'Qwen/Qwen3-8B',
      environment: 'production',
      namespace: 'system',
      endpoints: [{url: 'http://model.test', maxConcurrency: 64}],
      contextLength: 32_768,
      maxOutputTokens: 8_192,
      fallbacks: ['qwen3-4b', 'Qwen/Qwen3-1.7B'],
      price: {
        inputPerMillion: '0.20',
        outputPerMillion: '0.60',
        cachedInputPerMillion: '0.05',
        outputGpuMsPerMillion: 4_000,
      },
    }),
  );
});

test('the registry may be told a length that pods to come exceed', async t => {
  const objects = await renderVllm({registry: {contextLength: 8_192}});
  t.like(registered(find(objects, 'Service')), {contextLength: 8_192});
  t.is(find(objects, 'ConfigMap').data.MAX_MODEL_LEN, '32768');
});

test('an InferenceService is the same to the registry, and may be at zero', async t => {
  const object = find(await render('kserve'), 'InferenceService');
  t.is(object.metadata.labels['sluice.dev/model'], 'qwen3-8b');
  t.like(registered(object), {
    name: 'Qwen/Qwen3-8B',
    environment: 'development',
    contextLength: 32_768,
    startSeconds: 1_800,
    price: {free: true},
  });
  const {predictor} = object.spec;
  t.is(predictor.minReplicas, 0);
  t.is(predictor.containers[0].name, 'kserve-container');
  t.is(predictor.containers[0].ports[0].containerPort, 8_000);
  const warm = find(await render('kserve', {minReplicas: 1}), 'InferenceService');
  t.like(registered(warm), {startSeconds: null});
});

test('a model without a name of its own is called like its objects, and without a length says none', async t => {
  const objects = await render('path');
  t.like(registered(find(objects, 'Service')), {name: 'bge-m3', contextLength: null});
  t.deepEqual(find(objects, 'ConfigMap').data, {
    MODEL: '/cache/models/bge-m3',
    SERVED_MODEL_NAME: 'bge-m3',
  });
  t.false(containerOf(objects).args.join(' ').includes('MAX_MODEL_LEN'));
});

test('the server is told by the ConfigMap what it serves', async t => {
  const objects = await renderVllm({gpu: {count: 2}});
  const {data, metadata} = find(objects, 'ConfigMap');
  t.deepEqual(data, {
    MODEL: 'Qwen/Qwen3-8B',
    SERVED_MODEL_NAME: 'Qwen/Qwen3-8B',
    MAX_MODEL_LEN: '32768',
    MODEL_REVISION: 'b968826d9c46dd6066d109eabc6255188de91218',
  });
  const {args, command, env, image} = containerOf(objects);
  t.is(image, 'vllm/vllm-openai:v0.26.0');
  t.deepEqual(command, ['vllm', 'serve']);
  t.deepEqual(args, [
    '$(MODEL)',
    '--served-model-name=$(SERVED_MODEL_NAME)',
    '--port=8000',
    '--shutdown-timeout=600',
    '--max-model-len=$(MAX_MODEL_LEN)',
    '--revision=$(MODEL_REVISION)',
    '--tensor-parallel-size=2',
    '--gpu-memory-utilization=0.92',
  ]);
  for (const [, name] of args.join(' ').matchAll(/\$\(([A-Z_]+)\)/g)) {
    t.deepEqual(env.find((each: {name: string}) => each.name === name)?.valueFrom, {
      configMapKeyRef: {name: metadata.name, key: name},
    });
  }
});

test('what the ConfigMap says is in the pod’s own text, so that a change of it starts new pods', async t => {
  const checksum = async (values: object) =>
    podOf(await renderVllm(values)).metadata.annotations['checksum/configuration'];
  const before = await checksum({});
  t.not(await checksum({model: {contextLength: 16_384}}), before);
  t.is(await checksum({registry: {maxConcurrency: 7}}), before);
});

test('neither a price nor another version of the chart starts a pod anew', async t => {
  const objects = await renderVllm();
  t.deepEqual(podOf(await renderVllm({registry: {maxConcurrency: 7}})), podOf(objects));
  t.deepEqual(podOf(objects).metadata.labels, {
    'app.kubernetes.io/name': 'model',
    'app.kubernetes.io/instance': 'qwen',
    'app.kubernetes.io/component': 'qwen3-8b',
    'app.kubernetes.io/part-of': 'sluice',
    'sluice.dev/environment': 'production',
  });
  const {labels} = find(await render('kserve'), 'InferenceService').metadata;
  t.false('helm.sh/chart' in labels, 'KServe hands labels on to the pods');
});

test('whatever chooses pods chooses these, and no other release’s', async t => {
  const objects = await renderVllm();
  const {labels} = podOf(objects).metadata;
  const chosen = {'app.kubernetes.io/name': 'model', 'app.kubernetes.io/instance': 'qwen'};
  for (const [kind, selector] of [
    ['Deployment', find(objects, 'Deployment').spec.selector.matchLabels],
    ['Service', find(objects, 'Service').spec.selector],
    ['NetworkPolicy', find(objects, 'NetworkPolicy').spec.podSelector.matchLabels],
    ['PodDisruptionBudget', find(objects, 'PodDisruptionBudget').spec.selector.matchLabels],
    ['ServiceMonitor', find(objects, 'ServiceMonitor').spec.selector.matchLabels],
  ]) {
    t.deepEqual(selector, chosen, kind);
  }
  t.like(labels, chosen);
  t.like(find(objects, 'Service').metadata.labels, chosen, 'the ServiceMonitor chooses it');
});

test('the values of the README are a model in every environment', async t => {
  const [, block = ''] =
    /```yaml\n([^`]+)```/.exec(readFileSync(`${chart}/README.md`, 'utf8')) ?? [];
  for (const environment of environments) {
    const files = [`values-${environment}.yaml`];
    const objects = await template(chart, {files, values: parse(block)});
    t.like(registered(find(objects, 'Service')), {name: 'Qwen/Qwen3-8B', environment});
  }
});

test('every value is said what it does', t => {
  const text = readFileSync(`${chart}/values.yaml`, 'utf8');
  const lines = text.split('\n');
  const groups =
    /^(model|image|server|gpu|minReplicas|maxReplicas|autoscaling|inferenceService|scheduling|monitoring):/;
  for (const [index, line] of lines.entries()) {
    if (/^[a-zA-Z]/.test(line) && !groups.test(line)) {
      t.true(lines[index - 1]?.startsWith('#'), line);
    }
  }
});
