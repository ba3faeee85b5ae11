/** What the charts render, for each environment and with all that is optional, before a real API server with the CRDs of everybody they name. */
import {randomBytes} from 'node:crypto';
import test from 'ava';
import {environments} from '../helpers/control-plane.ts';
import {chartFolder, type Rendering, template} from '../helpers/helm.ts';
import {createKubectl} from './kubectl.ts';

const minutes = 60_000;
const chart = chartFolder('control-plane');
const model = chartFolder('model');

const everything: Rendering = {
  files: ['production', 'network', 'edge', 'everything'].map(name =>
    name === 'production' ? 'values-production.yaml' : `ci/${name}-values.yaml`,
  ),
};

const renderings: readonly (readonly [string, Rendering, string?])[] = [
  ...environments.map(name => [name, {files: [`values-${name}.yaml`]}] as const),
  ['production with all that is optional', everything],
  ...environments.map(
    name =>
      [
        `a model in ${name}`,
        {files: [`values-${name}.yaml`, 'ci/vllm-values.yaml']},
        model,
      ] as const,
  ),
  ['a model of KServe', {files: ['ci/inference-service-values.yaml']}, model],
  ['a model with a volume of its own', {files: ['ci/path-values.yaml']}, model],
];

for (const [title, rendering, folder = chart] of renderings) {
  test.serial(`every object of ${title} is taken`, async t => {
    t.timeout(15 * minutes);
    const kubectl = createKubectl(process.env.SLUICE_TEST_KNATIVE ?? '');
    const namespace = `chart-${randomBytes(4).toString('hex')}`;
    await kubectl(['create', 'namespace', namespace]);
    t.teardown(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));
    const objects = (await template(folder, {...rendering, namespace})).filter(
      // Those of model servers are for namespaces that are not there.
      ({metadata}) => metadata.namespace === undefined || metadata.namespace === namespace,
    );
    const dryRun = ['create', '--dry-run=server', '--validate=strict', '-o', 'name', '-f', '-'];
    // Knative tries the pods of a Service, and those want the account they name.
    const taken: string[] = [];
    for (const [command, isAccount] of [
      [['create', '-o', 'name', '-f', '-'], true],
      [dryRun, false],
    ] as const) {
      const items = objects.filter(({kind}) => (kind === 'ServiceAccount') === isAccount);
      if (items.length > 0) {
        const list = JSON.stringify({apiVersion: 'v1', kind: 'List', items});
        taken.push(...(await kubectl(command, list)).split('\n'));
      }
    }
    t.is(taken.length, objects.length);
    t.log(`${objects.length} objects`);
  });
}

test.serial(
  'an object with one field that there is not is refused, so that being taken says something',
  async t => {
    t.timeout(15 * minutes);
    const kubectl = createKubectl(process.env.SLUICE_TEST_KNATIVE ?? '');
    const objects = await template(chart, {namespace: 'default', ...everything});
    for (const kind of ['HTTPRoute', 'ExternalSecret', 'PodMonitor', 'DomainMapping', 'Job']) {
      const object = structuredClone(objects.find(each => each.kind === kind));
      object.metadata.namespace = 'default';
      object.spec.unheardOf = true;
      await t.throwsAsync(
        kubectl(
          ['create', '--dry-run=server', '--validate=strict', '-f', '-'],
          JSON.stringify(object),
        ),
        {message: /unheardOf/},
        kind,
      );
    }
  },
);

test.serial('a field that there is not is refused in every kind of charts/model', async t => {
  t.timeout(5 * minutes);
  const kubectl = createKubectl(process.env.SLUICE_TEST_KNATIVE ?? '');
  const rendered = await Promise.all(
    ['vllm', 'inference-service', 'path'].map(name =>
      template(model, {
        namespace: 'default',
        files: [`ci/${name}-values.yaml`],
        values: {environment: 'production', monitoring: {enabled: true}},
      }),
    ),
  );
  const kinds = new Map(rendered.flat().map(object => [object.kind, object]));
  t.true(kinds.size >= 8);
  for (const [kind, rendering] of kinds) {
    const object = structuredClone(rendering);
    (object.spec ?? object).unheardOf = true;
    await t.throwsAsync(
      kubectl(
        ['create', '--dry-run=server', '--validate=strict', '-f', '-'],
        JSON.stringify(object),
      ),
      {message: /unheardOf/},
      kind,
    );
  }
});
