/** What charts/model refuses, and that what it takes stays the one value that it is. */
import test from 'ava';
import {chartFolder, type KubernetesObject, template, tryTemplate} from '../helpers/helm.ts';

// The first use on a machine builds Helm.
test.beforeEach(t => t.timeout(15 * 60_000));

const chart = chartFolder('model');
const vllm = ['values-production.yaml', 'ci/vllm-values.yaml'];
const kserve = ['ci/inference-service-values.yaml'];

const refusal = async (values: object, files: readonly string[] = vllm): Promise<string> => {
  const {code, stderr} = await tryTemplate(chart, {files, values});
  return code === 0 ? 'taken' : stderr;
};

const refused = test.macro({
  async exec(t, values: object, message: RegExp, files: readonly string[] = vllm) {
    t.regex(await refusal(values, files), message);
  },
  title: (title = '') => `refused: ${title}`,
});

test('nothing of what follows is refused for another reason', async t => {
  t.is(await refusal({}), 'taken');
  t.is(await refusal({}, kserve), 'taken');
  t.is(await refusal({}, ['ci/path-values.yaml']), 'taken');
});

test('no model without a name', refused, {model: {name: ''}}, /model\/name/);
test('no model without weights', refused, {model: {source: ''}}, /model\/source/);
test('an environment that the registry has not', refused, {environment: 'test'}, /environment/);
for (const name of ['Qwen', 'qwen/qwen3', 'qwen_3', '3-qwen', 'qwen.3', 'qwen-', 'q'.repeat(51)]) {
  test(`${name} as an object’s name`, refused, {model: {name}}, /model\/name/);
}
test(
  'a name of which KServe could make no host',
  refused,
  {model: {name: 'q'.repeat(45)}},
  /model\.name: q+-development is longer than the 53 characters/,
  kserve,
);
test(
  'a Deployment at zero, which nobody would wake',
  refused,
  {minReplicas: 0},
  /minReplicas: a Deployment has no front that wakes it/,
);
test(
  'zero without Knative',
  refused,
  {inferenceService: {deploymentMode: 'Standard'}},
  /minReplicas: only Knative wakes a server/,
  kserve,
);
test(
  'most that is less than fewest',
  refused,
  {maxReplicas: 1},
  /maxReplicas: 1 is less than minReplicas, 2/,
);
test(
  'a rollout that could never begin',
  refused,
  {rollout: {maxSurge: 0}},
  /rollout: with both at 0/,
);
test(
  'no price',
  refused,
  {registry: {price: null}},
  /a price or free: true, one of both; a model without a price is not registered/,
);
test('a price and free', refused, {registry: {free: true}}, /a price or free: true, one of both/);
test('half a price', refused, {registry: {price: {output: null}}}, /registry\/price/);
test('a price that is a number', refused, {registry: {price: {input: 0.2}}}, /price\/input/);
test(
  'a server that asks for a key that nobody sends',
  refused,
  {server: {extraArgs: ['--api-key=sk-1']}},
  /server: the gateway sends no key/,
);
test('the same by its variable', refused, {server: {env: {VLLM_API_KEY: 'x'}}}, /VLLM_API_KEY/);
for (const name of ['HF_TOKEN', 'MODEL', 'SERVED_MODEL_NAME', 'HOME']) {
  test(
    `${name}, which the chart sets`,
    refused,
    {server: {env: {[name]: 'x'}}},
    new RegExp(`invalid propertyName '${name}'`),
  );
}
test(
  'a variable that is Knative’s own',
  refused,
  {server: {env: {PORT: '8000'}}},
  /server\.env: behind Knative PORT is Knative's own/,
  kserve,
);
test('an image of no certain version', refused, {image: {tag: 'latest'}}, /image\/tag/);
test(
  'a claim that is there and one that is made',
  refused,
  {cache: {size: '60Gi'}},
  /cache: existingClaim is there already/,
);
test(
  'several pods on a claim of one node',
  refused,
  {cache: {existingClaim: '', size: '60Gi'}},
  /cache\.accessModes: several pods share the claim/,
);
test(
  'weights from outside that no policy lets in',
  refused,
  {networkPolicies: {weights: []}},
  /networkPolicies\.weights: say where Qwen\/Qwen3-8B is fetched from/,
);
test('a start of more than half an hour', refused, {server: {startSeconds: 1_801}}, /startSeconds/);
test('a value that there is not', refused, {model: {maxLength: 1}}, /maxLength/);

test('a list of peers that is empty or missing is refused: a rule without peers admits everybody', async t => {
  for (const [names, files] of [
    [['router', 'dns'], vllm],
    [['callers', 'callerPorts', 'autoscaler', 'dns'], kserve],
  ] as const) {
    for (const name of names) {
      t.regex(await refusal({networkPolicies: {[name]: []}}, files), /minItems/, name);
      t.regex(
        await refusal({networkPolicies: {[name]: null}}, files),
        /admits everybody|opens all/,
        name,
      );
    }
  }
});

/** What would be an object of its own where a value is put into a template as it is. */
const injection =
  'x\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: injected\n  namespace: sluice';

test('a value that would end its line is refused wherever a template takes it', async t => {
  const cases: Readonly<Record<string, object>> = {
    'model.servedName': {model: {servedName: injection}},
    'model.source': {model: {source: injection}},
    'model.revision': {model: {revision: injection}},
    'registry.fallbacks': {registry: {fallbacks: [injection]}},
    'registry.price.input': {registry: {price: {input: injection}}},
    'image.repository': {image: {repository: injection}},
    'image.digest': {image: {digest: injection}},
    'server.healthPath': {server: {healthPath: injection}},
    'server.env': {server: {env: {[injection]: 'y'}}},
    'gpu.resource': {gpu: {resource: injection}},
    'cache.existingClaim': {cache: {existingClaim: injection}},
    'huggingFace.secretName': {huggingFace: {secretName: injection}},
    'monitoring.interval': {monitoring: {interval: injection}},
    scheduling: {scheduling: {[injection]: 'y'}},
    'a peer’s namespace': {networkPolicies: {router: [{namespace: injection}]}},
    'a peer’s cidr': {networkPolicies: {weights: [{cidr: injection}]}},
  };
  for (const [name, values] of Object.entries(cases)) {
    t.regex(await refusal(values), /schema|match|additional/, name);
  }
});

test('a text that may be anything stays one text, also where no schema is asked', async t => {
  const values = {
    model: {servedName: injection, source: injection, revision: injection},
    registry: {fallbacks: [injection]},
    image: {repository: injection, tag: injection, pullSecrets: [injection]},
    server: {
      command: [injection],
      extraArgs: [injection],
      env: {NOTE: injection},
      healthPath: injection,
    },
    cache: {existingClaim: injection},
    huggingFace: {secretName: injection, secretKey: injection},
    scheduling: {priorityClassName: injection, [injection]: 'y'},
    serviceAccountName: injection,
    monitoring: {interval: injection, labels: {note: injection}},
    networkPolicies: {router: [{namespace: injection}, {cidr: injection}]},
  };
  const counted = async (files: readonly string[]) => {
    const skip = {files, values, arguments: ['--skip-schema-validation']};
    const objects = await template(chart, skip);
    t.deepEqual(
      objects.map(({kind}: KubernetesObject) => kind),
      (await template(chart, {files})).map(({kind}: KubernetesObject) => kind),
    );
    return objects;
  };
  const objects = await counted(vllm);
  await counted(kserve);
  const {spec} = objects.find(({kind}: KubernetesObject) => kind === 'Deployment').spec.template;
  t.true(spec.containers[0].args.includes(injection));
  const service = objects.find(({kind}: KubernetesObject) => kind === 'Service');
  t.is(service.metadata.annotations['sluice.dev/model-name'], injection);
});
