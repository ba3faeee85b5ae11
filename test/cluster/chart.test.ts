/** What the chart renders, for each environment and with all that is optional, before a real API server with the CRDs of everybody it names. */
import {randomBytes} from 'node:crypto';
import test from 'ava';
import {environments} from '../helpers/control-plane.ts';
import {chartFolder, type Rendering, template} from '../helpers/helm.ts';
import {createKubectl} from './kubectl.ts';

const minutes = 60_000;
const chart = chartFolder('control-plane');

const everything: Rendering = {
  files: ['production', 'network', 'edge', 'everything'].map(name =>
    name === 'production' ? 'values-production.yaml' : `ci/${name}-values.yaml`,
  ),
};

const renderings: readonly (readonly [string, Rendering])[] = [
  ...environments.map(name => [name, {files: [`values-${name}.yaml`]}] as const),
  ['production with all that is optional', everything],
];

for (const [title, rendering] of renderings) {
  test.serial(`every object of ${title} is taken`, async t => {
    t.timeout(5 * minutes);
    const kubectl = createKubectl(process.env.SLUICE_TEST_KNATIVE ?? '');
    const namespace = `chart-${randomBytes(4).toString('hex')}`;
    await kubectl(['create', 'namespace', namespace]);
    t.teardown(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));
    const objects = (await template(chart, {...rendering, namespace})).filter(
      // Those of model servers are for namespaces that are not there.
      ({metadata}) => metadata.namespace === undefined || metadata.namespace === namespace,
    );
    const dryRun = ['create', '--dry-run=server', '--validate=strict', '-o', 'name', '-f', '-'];
    const [accounts, others] = [true, false].map(wanted =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'List',
        items: objects.filter(({kind}) => (kind === 'ServiceAccount') === wanted),
      }),
    );
    // Knative tries the pods of a Service, and those want the account they name.
    const made = await kubectl(['create', '-o', 'name', '-f', '-'], accounts);
    const taken = await kubectl(dryRun, others);
    t.is(`${made}\n${taken}`.split('\n').length, objects.length);
    t.log(`${objects.length} objects`);
  });
}

test.serial(
  'an object with one field that there is not is refused, so that being taken says something',
  async t => {
    t.timeout(5 * minutes);
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
