/** What the pods of charts/model are: how many, with which GPUs and volumes, how they come, are asked and go. */
import test from 'ava';
import {chartFolder, type KubernetesObject, template} from '../helpers/helm.ts';

// The first use on a machine builds Helm.
test.beforeEach(t => t.timeout(15 * 60_000));

const chart = chartFolder('model');

const render = (values: object = {}, environment = 'production') =>
  template(chart, {
    release: 'qwen',
    namespace: 'system',
    files: [`values-${environment}.yaml`, 'ci/vllm-values.yaml'],
    values,
  });
const renderKserve = (values: object = {}) =>
  template(chart, {release: 'qwen', files: ['ci/inference-service-values.yaml'], values});

const find = (objects: readonly KubernetesObject[], kind: string) =>
  objects.find(object => object.kind === kind);
const deployment = (objects: readonly KubernetesObject[]) => find(objects, 'Deployment').spec;
const pod = (objects: readonly KubernetesObject[]) => deployment(objects).template.spec;
const container = (objects: readonly KubernetesObject[]) => pod(objects).containers[0];

test('development and staging have one pod, production two to three, of which one may be taken', async t => {
  for (const environment of ['development', 'staging']) {
    const objects = await render({}, environment);
    t.is(deployment(objects).replicas, 1, environment);
    t.is(find(objects, 'HorizontalPodAutoscaler'), undefined, environment);
    t.is(find(objects, 'PodDisruptionBudget'), undefined, environment);
  }
  const objects = await render();
  t.is(deployment(objects).replicas, undefined, 'the autoscaler’s to say');
  const {spec} = find(objects, 'HorizontalPodAutoscaler');
  t.like(spec, {minReplicas: 2, maxReplicas: 3, scaleTargetRef: {name: 'qwen3-8b-production'}});
  t.is(find(objects, 'PodDisruptionBudget').spec.maxUnavailable, 1);
  t.is(deployment(await render({maxReplicas: 2})).replicas, 2);
});

test('monitoring reads every pod each 30 s, and says of which environment', async t => {
  const [endpoint] = find(await render(), 'ServiceMonitor').spec.endpoints;
  t.like(endpoint, {port: 'http', path: '/metrics', interval: '30s'});
  t.deepEqual(endpoint.relabelings, [
    {targetLabel: 'environment', replacement: 'production'},
    {targetLabel: 'model', replacement: 'Qwen/Qwen3-8B'},
  ]);
  t.is(find(await render({}, 'development'), 'ServiceMonitor'), undefined);
});

test('a pod has its GPUs, or none where none are asked for', async t => {
  const {limits, requests} = container(await render({gpu: {count: 4}})).resources;
  t.is(limits['nvidia.com/gpu'], 4);
  t.is(limits.memory, '32Gi');
  t.is(requests['nvidia.com/gpu'], undefined, 'Kubernetes asks for as many as the limit');
  t.deepEqual(container(await render({gpu: {count: 0}})).resources.limits, {memory: '32Gi'});
  t.is(
    container(await render({gpu: {resource: 'amd.com/gpu'}})).resources.limits['amd.com/gpu'],
    1,
  );
  const [server] = find(await renderKserve(), 'InferenceService').spec.predictor.containers;
  t.is(server.resources.limits['nvidia.com/gpu'], 1);
});

test('a pod may load its weights for as long as is said, and a rollout waits for it', async t => {
  const objects = await render({server: {startSeconds: 900}});
  const {startupProbe, readinessProbe, livenessProbe} = container(objects);
  for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
    t.deepEqual(probe.httpGet, {path: '/health', port: 'http'});
  }
  t.is(startupProbe.periodSeconds * startupProbe.failureThreshold, 900);
  t.true(deployment(objects).progressDeadlineSeconds > 900);
  const {annotations} = find(
    await renderKserve({server: {startSeconds: 900}}),
    'InferenceService',
  ).metadata;
  t.is(annotations['serving.knative.dev/progress-deadline'], '900s');
  t.is(annotations['sluice.dev/start-seconds'], '900');
});

test('a pod that goes leaves the Service first, and then its streams may end', async t => {
  const objects = await render({server: {leaveSeconds: 7, drainSeconds: 300}});
  const {lifecycle, args} = container(objects);
  t.is(lifecycle.preStop.sleep.seconds, 7);
  t.true(args.includes('--shutdown-timeout=300'));
  t.true(pod(objects).terminationGracePeriodSeconds > 307);
});

test('new pods come before old ones go, but where no GPU is to spare', async t => {
  t.deepEqual(deployment(await render()).strategy.rollingUpdate, {maxSurge: 1, maxUnavailable: 0});
  t.deepEqual(deployment(await render({}, 'development')).strategy.rollingUpdate, {
    maxSurge: 0,
    maxUnavailable: 1,
  });
});

test('a pod may do nothing on its node nor in the cluster', async t => {
  const objects = await render();
  const predictor = find(await renderKserve(), 'InferenceService').spec.predictor;
  for (const [spec, server] of [
    [pod(objects), container(objects)],
    [predictor, predictor.containers[0]],
  ]) {
    t.false(spec.automountServiceAccountToken);
    t.deepEqual(server.securityContext, {
      runAsUser: 2000,
      runAsNonRoot: true,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: {drop: ['ALL']},
      seccompProfile: {type: 'RuntimeDefault'},
    });
  }
  t.is(pod(objects).securityContext.fsGroup, 2000);
});

type Volume = Readonly<{name: string}>;
const volume = (objects: readonly KubernetesObject[], name: string) =>
  pod(objects).volumes.find((each: Volume) => each.name === name);

test('weights are on the claim that is named, on one of its own, or on the node', async t => {
  t.is(volume(await render(), 'cache').persistentVolumeClaim.claimName, 'weights');
  const onNode = await render({cache: {existingClaim: '', sizeLimit: '30Gi'}});
  t.deepEqual(volume(onNode, 'cache').emptyDir, {sizeLimit: '30Gi'});
  t.is(find(onNode, 'PersistentVolumeClaim'), undefined);
  const own = await template(chart, {files: ['ci/path-values.yaml']});
  const claim = find(own, 'PersistentVolumeClaim');
  t.is(volume(own, 'cache').persistentVolumeClaim.claimName, claim.metadata.name);
  t.is(claim.spec.resources.requests.storage, '20Gi');
  t.is(claim.metadata.annotations['helm.sh/resource-policy'], 'keep');
});

test('what the server writes has a place, and every place is one that there is', async t => {
  const objects = await render();
  t.deepEqual(volume(objects, 'shared-memory').emptyDir, {medium: 'Memory', sizeLimit: '4Gi'});
  for (const rendered of [objects, await render({sharedMemory: ''})]) {
    const mounted = container(rendered).volumeMounts.map(({name}: Volume) => name);
    t.deepEqual(
      pod(rendered).volumes.map(({name}: Volume) => name),
      mounted,
    );
  }
  const home = container(objects).env.find(({name}: Volume) => name === 'HOME').value;
  t.deepEqual(
    container(objects).volumeMounts.map(({mountPath}: {mountPath: string}) => mountPath),
    [home, '/tmp', '/dev/shm'],
  );
});

test('the token of Hugging Face is from a Secret, where one is named', async t => {
  const token = async (values: object) =>
    container(await render(values)).env.find(({name}: Volume) => name === 'HF_TOKEN');
  t.deepEqual((await token({})).valueFrom, {
    secretKeyRef: {name: 'hugging-face', key: 'token'},
  });
  t.is(await token({huggingFace: {secretName: ''}}), undefined);
});

test('several pods are spread over nodes', async t => {
  const [spread] = pod(await render()).topologySpreadConstraints;
  t.deepEqual(spread.labelSelector.matchLabels, deployment(await render()).selector.matchLabels);
  t.is(pod(await render({}, 'staging')).topologySpreadConstraints, undefined);
});

test('another server has its own command and arguments, by a digest', async t => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const server = {command: ['serve'], args: ['--name=$(SERVED_MODEL_NAME)'], env: {A: '$(MODEL)'}};
  const objects = await render({server, image: {repository: 'registry.example/serve', digest}});
  t.like(container(objects), {
    command: ['serve'],
    args: ['--name=$(SERVED_MODEL_NAME)'],
    image: `registry.example/serve@${digest}`,
  });
  t.deepEqual(
    container(objects).env.find(({name}: Volume) => name === 'A'),
    {name: 'A', value: '$(MODEL)'},
  );
});

test('a quota is the namespace’s, where it is asked for', async t => {
  const {spec, metadata} = find(await render(), 'ResourceQuota');
  t.is(metadata.name, 'models');
  t.is(spec.hard['requests.nvidia.com/gpu'], '8');
  t.is(find(await render({quota: {enabled: false}}), 'ResourceQuota'), undefined);
});
