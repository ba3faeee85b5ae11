/** What charts/tenant refuses, and that what it takes stays the one value that it is. */
import test from 'ava';
import {chartFolder, type KubernetesObject, template, tryTemplate} from '../helpers/helm.ts';

// The first use on a machine builds Helm.
test.beforeEach(t => t.timeout(15 * 60_000));

const chart = chartFolder('tenant');
const files = ['ci/worker-values.yaml'];
const render = (values: object = {}) => template(chart, {release: 'acme', files, values});

const find = (objects: readonly KubernetesObject[], kind: string) =>
  objects.find(object => object.kind === kind);

const refusal = async (values: object): Promise<string> => {
  const {code, stderr} = await tryTemplate(chart, {files, values});
  return code === 0 ? 'taken' : stderr;
};

test('values that cannot be meant are refused with a sentence', async t => {
  t.regex(await refusal({organisation: ''}), /organisation/);
  t.regex(await refusal({namespace: {name: ''}}), /name/);
  t.regex(await refusal({sluice: {url: ''}}), /sluice\.url: the front door/);
  t.regex(await refusal({stamp: 'A'.repeat(64)}), /stamp/);
  t.regex(await refusal({worker: {types: ['dev.sluice.key.revoked.v1']}}), /types/);
  t.regex(await refusal({worker: {env: {SLUICE_API_KEY: 'sk-1'}}}), /SLUICE_API_KEY/);
  t.regex(await refusal({worker: {apiKey: 'sk-1'}}), /apiKey/);
});

/** What would be an object of its own where a value is put into a template as it is. */
const injection =
  'x\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: injected\n  namespace: sluice';

test('a value that would end its line is refused wherever a template takes it', async t => {
  const cases: Readonly<Record<string, (text: string) => object>> = {
    organisation: text => ({organisation: text}),
    stamp: text => ({stamp: text}),
    'namespace.name': text => ({namespace: {name: text}}),
    'sluice.broker': text => ({sluice: {broker: text}}),
    'sluice.url': text => ({sluice: {url: `https://${text}`}}),
    'worker.name': text => ({worker: {name: text}}),
    'worker.image': text => ({worker: {image: text}}),
    'worker.pullPolicy': text => ({worker: {pullPolicy: text}}),
    'worker.key.secretName': text => ({worker: {key: {secretName: text}}}),
    'worker.key.secretKey': text => ({worker: {key: {secretKey: text}}}),
    'worker.env': text => ({worker: {env: {[text]: 'y'}}}),
    'worker.domain.host': text => ({worker: {domain: {host: text}}}),
    'worker.domain.tlsSecretName': text => ({worker: {domain: {tlsSecretName: text}}}),
    'a peer’s namespace': text => ({networkPolicies: {callers: [{namespace: text}]}}),
    'a peer’s cidr': text => ({networkPolicies: {callers: [{cidr: text}]}}),
    'a peer’s except': text => ({networkPolicies: {callers: [{cidr: '::/0', except: [text]}]}}),
  };
  for (const [name, values] of Object.entries(cases)) {
    t.regex(await refusal(values(injection)), /schema|match|must be/, name);
  }
});

test('a text that may be anything stays one text, also where no schema is asked', async t => {
  const values = {
    namespace: {labels: {note: injection}},
    worker: {
      image: injection,
      key: {secretName: injection, secretKey: injection},
      command: [injection],
      args: [injection],
      types: [injection],
      env: {NOTE: injection},
      domain: {host: injection, tlsSecretName: injection},
    },
    people: {groups: [injection], users: [injection]},
    networkPolicies: {callers: [{namespace: injection}, {cidr: injection}]},
  };
  const objects = await template(chart, {
    release: 'acme',
    files,
    values,
    arguments: ['--skip-schema-validation'],
  });
  t.is(find(objects, 'Secret'), undefined);
  t.is(objects.length, (await render()).length - 1, 'one type less');
  const [container] = find(objects, 'Service').spec.template.spec.containers;
  t.is(container.image, injection);
  t.is(container.env.at(-1).value, injection);
});

test('no Trigger is made without a stamp or an organisation, also where no schema is asked: empty, they would be any', async t => {
  for (const values of [{stamp: ''}, {stamp: null}, {organisation: ''}, {organisation: null}]) {
    const {code, stderr} = await tryTemplate(chart, {
      files,
      values,
      arguments: ['--skip-schema-validation'],
    });
    t.not(code, 0, JSON.stringify(values));
    t.regex(stderr, /stamp: what `sluice org stamp` tells|organisation: its id/);
  }
});

test('a tenant’s namespace is its own, with the labels that hold it in', async t => {
  t.regex(await refusal({namespace: {name: 'sluice'}}), /namespace of the release/);
  t.regex(await refusal({namespace: {name: 'sluice', create: false}}), /namespace of the release/);
  for (const label of ['sluice.dev/organisation', 'pod-security.kubernetes.io/enforce']) {
    t.true((await refusal({namespace: {labels: {[label]: 'x'}}})).includes(`'${label}'`), label);
  }
  t.is(
    find(await render({namespace: {labels: {team: 'x'}}}), 'Namespace').metadata.labels.team,
    'x',
  );
});

test('a list of peers that is empty or missing is refused: a rule without peers admits everybody', async t => {
  for (const name of [
    'callers',
    'autoscaler',
    'dns',
    'frontDoor',
    'callerPorts',
    'frontDoorPorts',
  ]) {
    t.regex(
      await refusal({networkPolicies: {[name]: []}}),
      /minItems|admits everybody|opens all/,
      name,
    );
    t.regex(await refusal({networkPolicies: {[name]: null}}), /admits everybody|opens all/, name);
  }
  t.regex(await refusal({networkPolicies: {egress: [{peers: [], ports: [443]}]}}), /minItems/);
});
