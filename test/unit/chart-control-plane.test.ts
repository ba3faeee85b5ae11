/** The control plane's chart: what it renders is knative/ with the release's names, and it renders for every environment and cloud. */
import {readdirSync} from 'node:fs';
import {cp, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {parse} from 'yaml';
import {
  environments,
  marks,
  readManifests,
  withoutHooks,
  withoutMarks,
} from '../helpers/control-plane.ts';
import {chartFolder, type KubernetesObject, lint, template} from '../helpers/helm.ts';

// The first use on a machine builds Helm.
test.before(t => t.timeout(15 * 60_000));
test.beforeEach(t => t.timeout(5 * 60_000));

const chart = chartFolder('control-plane');
const keyOf = ({kind, apiVersion, metadata}: KubernetesObject) =>
  `${apiVersion}/${kind}/${metadata.name}`;
const isOurs = ({kind, metadata}: KubernetesObject) =>
  kind !== 'NetworkPolicy' && metadata.name !== 'health';

const copyOfChart = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-chart-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  await cp(chart, folder, {recursive: true});
  return folder;
};

test.before(async () => {
  await template(chart);
});

const same = test.macro({
  async exec(t, values: object, select: () => KubernetesObject[]) {
    const manifests = select().filter(({kind}) => kind !== 'Namespace');
    const rendered = (await template(chart, {values})).filter(isOurs);
    t.deepEqual(rendered.map(keyOf).sort(), manifests.map(keyOf).sort());
    for (const manifest of manifests) {
      const found = rendered.find(object => keyOf(object) === keyOf(manifest));
      t.deepEqual(withoutHooks(withoutMarks(found)), withoutMarks(manifest), keyOf(manifest));
    }
  },
  title: (title = '') =>
    `${title}: the same objects, but for labels, hooks and the Namespace, which is the release's`,
});

test('with its own values the chart is knative/', same, {}, readManifests);
test(
  "with Kafka's Broker and KServe it is knative/ with these two folders",
  same,
  {broker: {class: 'Kafka'}, kserve: {enabled: true}},
  () => [
    ...readManifests().filter(({kind}) => kind !== 'Broker'),
    ...readManifests('broker-kafka'),
    ...readManifests('kserve'),
  ],
);

test('every object says which release it is of', async t => {
  for (const object of await template(chart, {
    release: 'mine',
    files: ['values-production.yaml'],
    values: {
      commonLabels: {team: 'platform'},
      commonAnnotations: {'example.com/owner': 'platform'},
    },
  })) {
    t.like(
      object.metadata.labels,
      {...marks, 'app.kubernetes.io/instance': 'mine', team: 'platform'},
      keyOf(object),
    );
  }
});

test('in another namespace, with another Secret, nothing is left of the names in knative/', async t => {
  const place = {namespace: 'elsewhere', values: {secretName: 'other-secret'}};
  const text = JSON.stringify(await template(chart, place));
  t.notRegex(text, /"namespace":"sluice"/);
  t.notRegex(text, /\.sluice\.svc/);
  t.notRegex(
    text,
    /"name":"sluice","optional"|"key":"[^"]+","name":"sluice"|"secretName":"sluice"/,
  );
  t.regex(text, /"namespace":"elsewhere"/);
  t.regex(text, /"key":"admin-key","name":"other-secret"/);
});

/** In no manifest yet, but where one of these comes it has to be the release's too. */
const later = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: later, namespace: sluice}
spec:
  template:
    spec:
      containers:
        - image: dev.local/sluice:0.1.0
          args: ["--say", 'a "namespace":"sluice" of words']
          env: [{name: SINK, value: http://budget.sluice.svc.cluster.local/}]
          envFrom: [{secretRef: {name: sluice}}]
      volumes: [{name: keys, secret: {secretName: sluice}}]
`;

test('names of the release are put wherever a manifest may have them, and not into words', async t => {
  const folder = await copyOfChart(t);
  await writeFile(join(folder, 'files/knative/later.yaml'), later);
  const values = {secretName: 'theirs', image: {tag: 'abc'}};
  const objects = await template(folder, {namespace: 'elsewhere', values});
  const {metadata, spec} = objects.find(({kind}) => kind === 'StatefulSet');
  const [container] = spec.template.spec.containers;
  t.is(metadata.namespace, 'elsewhere');
  t.is(container.image, 'dev.local/sluice:abc');
  t.is(container.env[0].value, 'http://budget.elsewhere.svc.cluster.local/');
  t.deepEqual(container.envFrom, [{secretRef: {name: 'theirs'}}]);
  t.is(spec.template.spec.volumes[0].secret.secretName, 'theirs');
  t.is(container.args[1], 'a "namespace":"sluice" of words');
});

test('an object of no namespace has the release in its name, so that two releases do not share it', async t => {
  const objects = await template(chart, {namespace: 'elsewhere'});
  for (const {kind, metadata, subjects} of objects.filter(each => /^Cluster/.test(each.kind))) {
    t.regex(metadata.name, /^elsewhere-/, `${kind} ${metadata.name}`);
    t.is(metadata.namespace, undefined);
    t.deepEqual((subjects ?? []).map((each: KubernetesObject) => each.namespace).filter(Boolean), [
      ...new Set((subjects ?? []).map(() => 'elsewhere')),
    ]);
  }
});

test('the chart, its images and the manifests are of the version in package.json', async t => {
  const {version} = JSON.parse(await readFile(join(chart, '../../package.json'), 'utf8'));
  const {version: chartVersion, appVersion} = parse(
    await readFile(join(chart, 'Chart.yaml'), 'utf8'),
  );
  t.deepEqual([chartVersion, String(appVersion)], [version, version]);
  const images = JSON.stringify(await template(chart)).matchAll(/"image":"([^"]+)"/g);
  t.deepEqual([...new Set([...images].map(([, image]) => image))], [`dev.local/sluice:${version}`]);
});

const clouds = [
  {cloud: 'gcp', region: 'europe-west3', registry: 'europe-west3-docker.pkg.dev/example/sluice'},
  {
    cloud: 'aws',
    region: 'eu-central-1',
    registry: '111122223333.dkr.ecr.eu-central-1.amazonaws.com',
  },
  {cloud: 'bare', region: '', registry: 'registry.example:5000'},
];

for (const environment of environments) {
  for (const {cloud, region, registry} of clouds) {
    test(`${environment} renders on ${cloud}, and every image is from its registry`, async t => {
      const rendering = {
        files: [`values-${environment}.yaml`],
        values: {global: {cloud, region, imageRegistry: registry}},
      };
      const objects = await template(chart, rendering);
      const text = JSON.stringify(objects);
      for (const [, image] of text.matchAll(/"image":"([^"]+)"/g)) {
        t.true(image?.startsWith(`${registry}/`), image);
      }
      t.true(text.includes(`{"name":"ENVIRONMENT","value":"${environment}"}`));
      t.is(text.includes(`cloud.region=${region},`), region !== '');
      const external = objects.filter(({kind}) => kind === 'ExternalSecret');
      t.deepEqual(
        external.map(({apiVersion, spec}) => [apiVersion, spec.secretStoreRef]),
        environment === 'development'
          ? []
          : [['external-secrets.io/v1', {name: `${cloud}-store`, kind: 'ClusterSecretStore'}]],
      );
    });
  }

  test(`${environment} is free of complaints`, async t => {
    const {code, stdout, stderr} = await lint(chart, {files: [`values-${environment}.yaml`]});
    t.is(code, 0, stdout + stderr);
    t.notRegex(stdout + stderr, /\[WARNING\]|\[ERROR\]/);
  });
}

for (const scenario of readdirSync(join(chart, 'ci'))) {
  test(`ci/${scenario} renders and is free of complaints`, async t => {
    const files = [`ci/${scenario}`];
    const {code, stdout, stderr} = await lint(chart, {files});
    t.is(code, 0, stdout + stderr);
    t.notRegex(stdout + stderr, /\[WARNING\]|\[ERROR\]/);
    t.true((await template(chart, {files})).length > 20);
  });
}

/** Helm shows the notes of an installation only, and an installation wants a cluster. */
const notesOf = async (t: ExecutionContext, values: object) => {
  const folder = await copyOfChart(t);
  const notes = await readFile(join(folder, 'templates/NOTES.txt'), 'utf8');
  await rm(join(folder, 'templates/NOTES.txt'));
  await writeFile(
    join(folder, 'templates/notes.yaml'),
    `{{- define "notes" }}${notes}{{ end }}\nnotes: {{ include "notes" . | toJson }}\n`,
  );
  const objects = await template(folder, {
    values,
    arguments: ['--show-only', 'templates/notes.yaml'],
  });
  return objects[0].notes as string;
};

test('the notes say what is there, how to make the first key, and what is missing', async t => {
  const plain = await notesOf(t, {functions: {hello: {enabled: false}}});
  t.regex(plain, /Functions: admin, auth, budget, .*, world\n/);
  t.notRegex(plain, /hello/);
  t.regex(plain, /port-forward service\/kourier-internal/);
  t.regex(plain, /The Secret sluice is yours to make/);
  t.regex(plain, /No NetworkPolicies/);
  t.regex(plain, /need kafka-brokers/);

  const memory = await notesOf(t, {
    broker: {class: 'MTChannelBasedBroker'},
    secret: {create: true, data: {'admin-key': 'canary-of-a-secret'}},
    migration: {enabled: false},
  });
  t.regex(memory, /may keep events in memory only/);
  t.regex(memory, /in Helm's history/);
  t.regex(memory, /schema is not migrated/);
  t.notRegex(memory, /canary/);

  const edge = await notesOf(t, {
    environment: 'production',
    edge: {enabled: true, host: 'api.example.com', gateway: {name: 'public'}},
    domains: [{host: 'api.acme.example'}],
  });
  t.regex(edge, /SLUICE_URL=https:\/\/api\.example\.com\n/);
  t.regex(edge, /https:\/\/api\.acme\.example is gateway/);
  t.regex(edge, /default class/);
});
