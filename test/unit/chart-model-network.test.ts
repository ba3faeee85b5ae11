/**
What the NetworkPolicy of charts/model allows, by an evaluator that is not ours: what charts/control-plane/network.yaml says of model
servers holds of one that has this policy alone.
*/
import test from 'ava';
import {createCyclonus, type End, type Policy} from '../helpers/cyclonus.ts';
import {chartFolder, type KubernetesObject, template} from '../helpers/helm.ts';
import {createWho} from '../helpers/network-pods.ts';
import {expandRows, type Line, readRows} from '../helpers/network-table.ts';
import {requireGoTool} from '../runner/go-tools.ts';

// The first use on a machine builds Helm and the evaluator.
test.beforeEach(t => t.timeout(15 * 60_000));

const namespace = 'system';
const find = (objects: readonly KubernetesObject[], kind: string) =>
  objects.find(object => object.kind === kind);

const servers = {
  /** A Deployment's pods have its template's labels; others listen at 8080, and none has a queue-proxy. */
  model: {
    file: 'ci/vllm-values.yaml',
    labelsOf: (objects: readonly KubernetesObject[]) =>
      find(objects, 'Deployment').spec.template.metadata.labels,
    ports: ['8000', '53', '53/udp', '443'],
  },
  /** KServe's pods have the labels of the InferenceService, and its name. */
  'knative-model': {
    file: 'ci/inference-service-values.yaml',
    labelsOf: (objects: readonly KubernetesObject[]) => {
      const {name, labels} = find(objects, 'InferenceService').metadata;
      return {
        ...labels,
        'serving.kserve.io/inferenceservice': name,
        'serving.knative.dev/service': `${name}-predictor`,
      };
    },
    ports: ['8000', '8012', '8013', '8112', '9090', '9091', '53', '53/udp', '443'],
  },
} as const;

const prepare = async (name: keyof typeof servers) => {
  const {file, labelsOf, ports} = servers[name];
  const objects = await template(chartFolder('model'), {
    namespace,
    files: [file],
    values: {environment: 'production', quota: {enabled: false}},
  });
  const who = createWho();
  const own: End = {ip: '10.244.9.1', pod: {namespace, labels: labelsOf(objects)}};
  const others = Object.keys(servers).filter(other => other !== name);
  const lines = expandRows(readRows(), {...who, ends: new Map([...who.ends, [name, own]])})
    .filter(({connection: {from, to}}) => from === own || to === own)
    // What is allowed at the ports of other servers is not asked of this one.
    .filter(({allowed, text}) => !allowed || ports.some(port => text.endsWith(`:${port}`)));
  const policies: readonly Policy[] = objects.filter(({kind}) => kind === 'NetworkPolicy');
  const isAllowed = createCyclonus(await requireGoTool('cyclonus'));
  const wrong = async (asked: readonly Line[], using = policies) => {
    const answers = await isAllowed(
      using,
      asked.map(({connection}) => connection),
    );
    return asked
      .filter(({allowed}, index) => answers[index] !== allowed)
      .map(({text, why}) => `${text}: ${why}`);
  };
  return {own, others, lines, policies, isAllowed, wrong};
};

for (const name of ['model', 'knative-model'] as const) {
  test(`what the table says of ${name} is what its policy does`, async t => {
    const {lines, wrong} = await prepare(name);
    t.true(lines.some(({allowed}) => allowed));
    t.deepEqual(await wrong(lines), []);
    t.is((await wrong(lines, [])).length, lines.filter(({allowed}) => !allowed).length);
    t.log(`${lines.length} lines`);
  });
}

test('another model of the namespace neither reaches this one nor is held back by its policy', async t => {
  const {own, policies, isAllowed} = await prepare('model');
  const labels = {...own.pod?.labels, 'app.kubernetes.io/instance': 'another'};
  const other: End = {ip: '10.244.9.2', pod: {namespace, labels}};
  const gateway = createWho().ends.get('gateway') as End;
  const stranger = createWho().ends.get('stranger') as End;
  const at = {port: 8_000, protocol: 'TCP'} as const;
  t.deepEqual(
    await isAllowed(policies, [
      {from: gateway, to: own, ...at},
      {from: other, to: own, ...at},
      {from: own, to: other, ...at},
      {from: stranger, to: other, ...at},
    ]),
    [true, false, false, true],
  );
});

test('the gateway and the registry of another Sluice are strangers', async t => {
  const {own, policies, isAllowed} = await prepare('model');
  for (const name of ['gateway', 'registry']) {
    const {ip, pod} = createWho('sluice-two').ends.get(name) as End;
    const [answer] = await isAllowed(policies, [
      {from: {ip, ...(pod && {pod})}, to: own, port: 8_000, protocol: 'TCP'},
    ]);
    t.false(answer, name);
  }
});
