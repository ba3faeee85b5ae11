// Loaded before the tests: while it is, which takes seconds, no server of theirs answers.
import '@kubernetes/client-node';
import test, {type ExecutionContext} from 'ava';
import {normal} from '../helpers/cli.ts';
import {type KubeLists, startFakeKubernetes} from '../helpers/fake-kubernetes.ts';
import {well} from '../helpers/registry.ts';
import {startRegistryServer} from '../helpers/registry-server.ts';

const serviceUrl = 'http://llama.models.svc.cluster.local:8000';
const kserveUrl = 'http://mistral-predictor.models.svc.cluster.local';
const outsideUrl = 'https://api.example.com';

const startRegistry = (t: ExecutionContext) =>
  startRegistryServer(t, {[serviceUrl]: well, [outsideUrl]: well});

const startModels = async (t: ExecutionContext) => {
  const started = await startRegistry(t);
  await started.register({endpoints: [serviceUrl]});
  await started.register({name: 'mistral', environment: 'production', endpoints: [kserveUrl]});
  await started.register({name: 'hosted', endpoints: [outsideUrl]});
  return started;
};

const container = (state: object, more: object = {}) => ({
  name: 'server',
  image: 'vllm',
  imageID: '',
  ready: false,
  restartCount: 0,
  state,
  ...more,
});

/** A Deployment of two with one that cannot pull its image, and a model of KServe that is not ready. */
const objects = (): KubeLists => ({
  '/api/v1/namespaces/models/services': {
    kind: 'ServiceList',
    items: [
      {metadata: {name: 'llama'}, spec: {selector: {app: 'llama'}}},
      {
        metadata: {name: 'mistral-predictor'},
        spec: {type: 'ExternalName', externalName: 'gateway.istio'},
      },
    ],
  },
  '/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices': {
    kind: 'InferenceServiceList',
    items: [
      {
        metadata: {name: 'mistral'},
        status: {
          url: 'http://mistral.models.example.com',
          conditions: [
            {
              type: 'Ready',
              status: 'False',
              reason: 'PredictorNotReady',
              message: 'no revision is ready',
            },
          ],
        },
      },
    ],
  },
  '/apis/apps/v1/namespaces/models/deployments': {
    kind: 'DeploymentList',
    items: [
      {
        metadata: {name: 'llama'},
        spec: {
          replicas: 2,
          selector: {},
          template: {metadata: {labels: {app: 'llama', tier: 'model'}}},
        },
        status: {
          readyReplicas: 1,
          conditions: [{type: 'Available', status: 'False', message: 'too few replicas'}],
        },
      },
      {
        metadata: {name: 'other'},
        spec: {replicas: 1, selector: {}, template: {metadata: {labels: {app: 'other'}}}},
        status: {readyReplicas: 1},
      },
    ],
  },
  '/api/v1/namespaces/models/pods': {
    kind: 'PodList',
    items: [
      {
        metadata: {name: 'llama-1', labels: {app: 'llama', tier: 'model'}},
        status: {
          phase: 'Running',
          containerStatuses: [container({running: {}}, {ready: true, restartCount: 3})],
        },
      },
      {
        metadata: {name: 'llama-2', labels: {app: 'llama', tier: 'model'}},
        status: {
          phase: 'Pending',
          containerStatuses: [
            container({waiting: {reason: 'ImagePullBackOff', message: 'no such image'}}),
          ],
        },
      },
      {metadata: {name: 'other-1', labels: {app: 'other'}}, status: {phase: 'Running'}},
    ],
  },
  '/api/v1/namespaces/models/events': {
    kind: 'EventList',
    items: [
      {
        metadata: {name: 'e1'},
        involvedObject: {name: 'llama-2'},
        type: 'Warning',
        reason: 'Failed',
        message: 'pulling the image failed',
        lastTimestamp: '2026-11-21T10:00:00Z',
      },
      {
        metadata: {name: 'e2'},
        involvedObject: {name: 'llama-2'},
        type: 'Normal',
        reason: 'Scheduled',
      },
    ],
  },
});

test('without Kubernetes the registry is shown, and it is said that there is none', async t => {
  const {cliWith} = await startModels(t);
  const {code, out, err} = await cliWith().run('deployment', 'status');
  t.is(code, 0);
  t.is(
    normal(out),
    `MODEL  ENVIRONMENT  STATUS  ENDPOINT  HEALTH  PROBED  REASON
hosted  development  ready  ${outsideUrl}  healthy  TIME  -
llama  development  ready  ${serviceUrl}  healthy  TIME  -
mistral  production  registered  ${kserveUrl}  unhealthy  TIME  connection refused
`,
  );
  t.is(
    err,
    'no Kubernetes here (no kubeconfig, no account of a pod): this is what the registry knows\n',
  );
});

test('beside the registry stands what Kubernetes says of workloads and pods, and why they are not ready', async t => {
  const {cliWith} = await startModels(t);
  const kubernetes = await startFakeKubernetes(t, objects());
  const {code, out, err} = await cliWith({KUBECONFIG: kubernetes.kubeconfig}).run(
    'deployment',
    'status',
  );
  t.is(code, 0, err);
  t.is(
    normal(out),
    `MODEL  ENVIRONMENT  STATUS  ENDPOINT  HEALTH  PROBED  REASON  WORKLOAD  PODS READY
hosted  development  ready  ${outsideUrl}  healthy  TIME  -  -  -
llama  development  ready  ${serviceUrl}  healthy  TIME  -  Deployment llama 1/2  1/2
mistral  production  registered  ${kserveUrl}  unhealthy  TIME  connection refused  InferenceService mistral not ready  0/0

NAMESPACE  POD  PHASE  CONTAINERS  RESTARTS  REASON
models  llama-1  Running  1/1  3  -
models  llama-2  Pending  0/1  0  ImagePullBackOff: no such image
`,
  );
  t.is(
    err,
    `Deployment llama: too few replicas
llama-2: Failed: pulling the image failed
InferenceService mistral: no revision is ready
`,
  );
  t.true(
    kubernetes.asked.every(line => line.startsWith('GET ')),
    kubernetes.asked.join('\n'),
  );
});

test('one model is shown as JSON and as CSV, and one that is not there is said to be so', async t => {
  const {cliWith} = await startModels(t);
  const kubernetes = await startFakeKubernetes(t, objects());
  const {run, json} = cliWith({KUBECONFIG: kubernetes.kubeconfig});
  const answer = await json('deployment', 'status', '--model', 'llama', '--env', 'dev');
  t.deepEqual(answer.kubernetes, {server: kubernetes.url, notRegistered: []});
  const [row] = answer.data as unknown as [{kubernetes: {workloads: object[]; pods: object[]}}];
  t.like(row, {model: 'llama', health: 'healthy', kubernetes: {namespace: 'models'}});
  t.deepEqual(row.kubernetes.workloads, [
    {
      kind: 'Deployment',
      name: 'llama',
      isReady: false,
      replicas: '1/2',
      reason: 'too few replicas',
    },
  ]);
  t.like(row.kubernetes.pods[0], {name: 'llama-1', isReady: true, restarts: 3});
  t.like(row.kubernetes.pods[1], {name: 'llama-2', isReady: false, phase: 'Pending'});
  t.is(
    normal((await run('deployment', 'status', '--model', 'llama', '--csv')).out),
    `model,environment,status,endpoint,health,probed,reason,workload,podsReady\nllama,development,ready,${serviceUrl},healthy,TIME,,Deployment llama 1/2,1/2\n`,
  );
  const missing = await run(
    'deployment',
    'status',
    '--model',
    'gpt',
    '--environment',
    'production',
  );
  t.deepEqual([missing.code, missing.err], [5, 'sluice: there is no model "gpt" in production\n']);
});

test('what may not be read, or is not there, is said, and the registry is shown all the same', async t => {
  const {cliWith} = await startModels(t);
  const lists = objects();
  const kubernetes = await startFakeKubernetes(t, {
    ...lists,
    '/api/v1/namespaces/models/services': {kind: 'ServiceList', items: []},
    '/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices': {
      kind: 'InferenceServiceList',
      items: [],
    },
  });
  const {run} = cliWith({KUBECONFIG: kubernetes.kubeconfig});
  const gone = await run('deployment', 'status', '--model', 'llama');
  t.is(gone.code, 0);
  t.is(gone.err, 'there is no Service llama in models\n');
  kubernetes.forbid('/services/');
  const refused = await run('deployment', 'status', '--model', 'llama');
  t.is(refused.code, 0);
  t.is(refused.err, 'this account may not read the namespace models\n');
  t.regex(refused.out, /^llama +development +ready/m);
});

test('a kubeconfig that is wrong is told, and --no-kubernetes needs none', async t => {
  const {cliWith} = await startModels(t);
  const kubernetes = await startFakeKubernetes(t, objects());
  const {run} = cliWith({KUBECONFIG: kubernetes.kubeconfig});
  const wrong = await run('deployment', 'status', '--kube-context', 'prod');
  t.is(wrong.code, 2);
  t.regex(wrong.err, /^sluice: the kubeconfig: .* has no context prod\n$/);
  const alone = await run('deployment', 'status', '--no-kubernetes');
  t.deepEqual([alone.code, alone.err], [0, '']);
  t.deepEqual(kubernetes.asked, []);
});

test('with no model there is nothing', async t => {
  const {cliWith} = await startRegistry(t);
  const {run, json} = cliWith();
  t.deepEqual(await run('deployment', 'status', '--no-kubernetes'), {
    code: 0,
    out: '',
    err: 'nothing\n',
  });
  t.deepEqual(await json('deployment', 'status', '--no-kubernetes'), {
    data: [],
    kubernetes: null,
  } as never);
});
