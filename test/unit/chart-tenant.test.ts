/** What charts/tenant makes of its values. */
import {readFileSync} from 'node:fs';
import test from 'ava';
import {chartFolder, type KubernetesObject, lint, template} from '../helpers/helm.ts';

// The first use on a machine builds Helm.
test.beforeEach(t => t.timeout(15 * 60_000));

const chart = chartFolder('tenant');
const files = ['ci/worker-values.yaml'];
const organisation = '0198f0f6-2f7b-7cc3-8a53-0a2f4c6d8e10';
const stamp = '5f0c3d1e9a7b4826'.repeat(4);
const render = (values: object = {}) => template(chart, {release: 'acme', files, values});

const find = (objects: readonly KubernetesObject[], kind: string, name?: string) =>
  objects.find(
    object => object.kind === kind && (name === undefined || object.metadata.name === name),
  );

test('Helm finds nothing to complain of', async t => {
  const {code, stdout, stderr} = await lint(chart, {files});
  t.is(code, 0, stdout + stderr);
});

test('its version is the one of the package', t => {
  const {version} = JSON.parse(readFileSync('package.json', 'utf8'));
  const text = readFileSync(`${chart}/Chart.yaml`, 'utf8');
  t.true(text.includes(`\nversion: ${version}\nappVersion: ${version}\n`));
});

test('everything is in the namespace of the tenant but the Triggers, which are beside their Broker', async t => {
  for (const {kind, metadata} of await render()) {
    const expected = {Namespace: undefined, ClusterDomainClaim: undefined, Trigger: 'sluice'};
    t.is(metadata.namespace, kind in expected ? expected[kind as 'Trigger'] : 'tenant-acme', kind);
  }
});

test('a Trigger a type takes events of this organisation that have its stamp, and no other', async t => {
  const triggers = (await render()).filter(({kind}) => kind === 'Trigger');
  t.deepEqual(
    triggers.map(({spec}) => spec.filter.attributes),
    ['com.acme.document.uploaded', 'com.acme.question.asked'].map(type => ({
      orgid: organisation,
      sluicestamp: stamp,
      type,
    })),
  );
  for (const {spec, metadata} of triggers) {
    t.is(spec.broker, 'tenants');
    t.is(spec.subscriber.ref.namespace, 'tenant-acme');
    t.is(spec.subscriber.ref.name, 'worker');
    t.is(spec.filters, undefined, 'it would override the filter');
    t.true(metadata.name.length <= 63);
  }
  t.is(new Set(triggers.map(({metadata}) => metadata.name)).size, 2);
});

test('the worker goes to zero, is not reached from outside, and has the key from a Secret', async t => {
  const {metadata, spec} = find(await render(), 'Service');
  const [container] = spec.template.spec.containers;
  t.is(metadata.labels['networking.knative.dev/visibility'], 'cluster-local');
  t.is(spec.template.metadata.annotations['autoscaling.knative.dev/min-scale'], '0');
  t.deepEqual(container.env.slice(0, 2), [
    {name: 'SLUICE_URL', value: 'https://api.example'},
    {name: 'SLUICE_API_KEY', valueFrom: {secretKeyRef: {name: 'sluice', key: 'api-key'}}},
  ]);
  t.true(container.securityContext.runAsNonRoot);
  t.true(container.securityContext.readOnlyRootFilesystem);
  t.false(find(await render(), 'ServiceAccount').automountServiceAccountToken);
});

test('without a worker there is a namespace with its limits and policies, and nothing that runs', async t => {
  const objects = await template(chart, {
    values: {organisation, namespace: {name: 'tenant-acme'}},
  });
  t.deepEqual(objects.map(({kind}) => kind).sort(), [
    'LimitRange',
    'Namespace',
    'NetworkPolicy',
    'NetworkPolicy',
    'NetworkPolicy',
    'ResourceQuota',
  ]);
});

test('the namespace may be there already', async t => {
  t.is(find(await render({namespace: {create: false}}), 'Namespace'), undefined);
});

test('a quota counts the limits of every container, and each has some', async t => {
  const objects = await render();
  const {hard} = find(objects, 'ResourceQuota').spec;
  const [limits] = find(objects, 'LimitRange').spec.limits;
  for (const name of Object.keys(hard).filter(key => key.startsWith('limits.'))) {
    t.true(name.slice('limits.'.length) in limits.default, name);
  }
  for (const name of ['count/secrets', 'count/configmaps', 'limits.ephemeral-storage']) {
    t.true(name in hard, name);
  }
  for (const name of Object.keys(hard).filter(key => key.startsWith('requests.'))) {
    t.true(name.slice('requests.'.length) in limits.defaultRequest, name);
  }
});

test('the tenant’s people may change their Services, and nothing that holds them in', async t => {
  const objects = await render();
  const {rules} = find(objects, 'Role');
  const changing = rules
    .filter(({verbs}: {verbs: string[]}) =>
      verbs.some(verb => !['get', 'list', 'watch'].includes(verb)),
    )
    .flatMap(({resources}: {resources: string[]}) => resources)
    .sort();
  t.deepEqual(changing, ['configmaps', 'secrets', 'services']);
  t.false(JSON.stringify(rules).includes('*'));
  t.deepEqual(
    find(objects, 'RoleBinding').subjects.map(({kind, name}: {kind: string; name: string}) => [
      kind,
      name,
    ]),
    [
      ['Group', 'acme-developers'],
      ['User', 'ann@acme.example'],
    ],
  );
  t.is(objects.filter(({kind}) => kind.startsWith('ClusterRole')).length, 0);
});

test('a name of its own is claimed for its namespace, and has its certificate', async t => {
  const objects = await render();
  t.deepEqual(find(objects, 'ClusterDomainClaim', 'hooks.acme.example').spec, {
    namespace: 'tenant-acme',
  });
  const {spec} = find(objects, 'DomainMapping', 'hooks.acme.example');
  t.is(spec.ref.name, 'worker');
  t.deepEqual(spec.tls, {secretName: 'acme-tls'});
  const without = await render({worker: {domain: {host: ''}}});
  t.false(without.some(({kind}) => kind === 'DomainMapping' || kind === 'ClusterDomainClaim'));
});

test('every value is said what it does', t => {
  const text = readFileSync(`${chart}/values.yaml`, 'utf8');
  const top = text.split('\n').filter(line => /^[a-zA-Z]/.test(line));
  for (const line of top.filter(name => !/^(namespace|sluice):/.test(name))) {
    const before =
      text
        .slice(0, text.indexOf(`\n${line}`))
        .split('\n')
        .at(-1) ?? '';
    t.true(before.startsWith('#'), line);
  }
});
