/** What the charts' NetworkPolicies allow, held to charts/control-plane/network.yaml by an evaluator that is not ours. */
import {readFileSync} from 'node:fs';
import test from 'ava';
import {parse} from 'yaml';
import type {Policy} from '../helpers/cyclonus.ts';
import {type Manifest, namesOf, readManifests} from '../helpers/network-pods.ts';
import type {Line} from '../helpers/network-table.ts';
import {lines, prepareNetwork} from '../helpers/network-world.ts';

const prepared = prepareNetwork(test);

/** Lines that the evaluator answers otherwise than the table says. */
const wrong = async (policies: readonly Policy[], asked: readonly Line[] = lines) => {
  const {isAllowed} = await prepared();
  const answers = await isAllowed(
    policies,
    asked.map(({connection}) => connection),
  );
  return asked.filter(({allowed}, index) => answers[index] !== allowed);
};

const textOf = ({text, allowed, why}: Line) =>
  `${text} is to be ${allowed ? 'allowed' : 'refused'}: ${why}`;

test('every line of the table is what the policies do', async t => {
  const {policies} = await prepared();
  t.deepEqual((await wrong(policies)).map(textOf), []);
});

test('without any policy everything that the table refuses is allowed, and nothing else is wrong', async t => {
  const found = await wrong([]);
  t.is(found.length, lines.filter(({allowed}) => !allowed).length);
  t.true(found.every(({allowed}) => !allowed));
});

test('the table speaks of every function and source as one that is called and as one that calls', t => {
  for (const name of [
    ...namesOf('Service', 'serving.knative.dev/'),
    ...namesOf('ContainerSource'),
  ]) {
    for (const pattern of [`${name} → `, ` → ${name}:`]) {
      for (const allowed of [true, false]) {
        t.true(
          lines.some(
            line =>
              line.allowed === allowed &&
              ` ${line.text}`.includes(` ${pattern}`.replace('  ', ' ')),
          ),
          `no line "${pattern}" that is ${allowed ? 'allowed' : 'refused'}`,
        );
      }
    }
  }
});

test('our own side alone refuses what our pods may not reach in stores, and outside', async t => {
  const {policies} = await prepared();
  const places = [
    'postgres',
    'redis',
    'kafka',
    'qdrant',
    'kube-system',
    'knative-eventing',
    undefined,
  ];
  const found = await wrong(
    policies.filter(({metadata}) => metadata.namespace === 'sluice'),
    lines.filter(
      ({connection: {from, to}}) =>
        from.pod?.namespace === 'sluice' && places.includes(to.pod?.namespace),
    ),
  );
  t.deepEqual(found.map(textOf), []);
});

test('who may reach a store is who has its address in a manifest', t => {
  const {destinations} = values.networkPolicies;
  const keys = {
    postgres: /database-url/,
    redis: /^redis-url$/,
    kafka: /^kafka-brokers$/,
    openid: /^oidc-issuer$/,
  };
  for (const [name, key] of Object.entries(keys)) {
    const {functions = [], sources = [], jobs = []} = destinations[name] ?? {};
    const holders = (kind: string, group = '') =>
      readManifests()
        .filter(({kind: its, apiVersion}) => its === kind && apiVersion.startsWith(group))
        .filter(manifest => secretKeysOf(manifest).some(found => key.test(found)))
        .map(({metadata}) => metadata.name)
        .sort();
    t.deepEqual([...functions].sort(), holders('Service', 'serving.knative.dev/'), name);
    t.deepEqual([...sources].sort(), holders('ContainerSource'), name);
    t.deepEqual([...jobs].sort(), holders('Job'), name);
  }
});

test('every source reaches its sink, and no other', t => {
  const {destinations} = values.networkPolicies;
  const reaching = (kind: string, to: string) =>
    readManifests()
      .filter(manifest => manifest.kind === kind && sinkKindOf(manifest) === to)
      .map(({metadata}) => metadata.name)
      .sort();
  const sorted = (names: readonly string[] = []) => [...names].sort();
  t.deepEqual(sorted(destinations.broker?.sources), reaching('ContainerSource', 'Broker'));
  t.deepEqual(
    sorted(destinations['cluster-local']?.sources),
    reaching('ContainerSource', 'Service'),
  );
  t.deepEqual(sorted(destinations.broker?.watches), reaching('ApiServerSource', 'Broker'));
  t.deepEqual(reaching('ApiServerSource', 'Service'), []);
  t.deepEqual(
    sorted(destinations['kubernetes-api']?.watches),
    [...namesOf('ApiServerSource')].sort(),
  );
});

type Names = readonly string[];
type Destination = Readonly<{functions?: Names; sources?: Names; watches?: Names; jobs?: Names}>;

const values: {networkPolicies: {destinations: Record<string, Destination>}} = parse(
  readFileSync(new URL('../../charts/control-plane/values.yaml', import.meta.url), 'utf8'),
);

const secretKeysOf = (manifest: Manifest): readonly string[] =>
  [...JSON.stringify(manifest).matchAll(/"secretKeyRef":\{[^}]*"key":"([^"]+)"/g)].map(
    ([, key]) => key ?? '',
  );

const sinkKindOf = ({spec}: Manifest) =>
  (spec?.sink as {ref?: {kind: string}} | undefined)?.ref?.kind;
