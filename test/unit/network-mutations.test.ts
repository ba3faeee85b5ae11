/** That charts/control-plane/network.yaml sees every policy: one that is dropped or widened makes a line of it wrong. */
import {isDeepStrictEqual} from 'node:util';
import test from 'ava';
import type {Policy} from '../helpers/cyclonus.ts';
import type {Line} from '../helpers/network-table.ts';
import {lines, prepareNetwork} from '../helpers/network-world.ts';

const prepared = prepareNetwork(test);

type Rule = Readonly<{from?: unknown; to?: unknown; ports?: unknown}>;
type Selector = Readonly<{
  matchExpressions?: readonly Readonly<{key: string; operator: string; values?: string[]}>[];
}>;

const rulesOf = (rules: unknown) => rules as readonly Rule[] | undefined;
const directionsOf = ({spec}: Policy) => spec.policyTypes as readonly string[];

/**
The lines that only this policy's own side can answer: to or from its pods. The other side's policies are not asked: a store that guards
itself as well would hide that we no longer hold our own pods back.
*/
const linesOf = (policy: Policy) => {
  const {matchExpressions: [expression] = []} = policy.spec.podSelector as Selector;
  const isChosen = (end: Line['connection']['from']) =>
    end.pod?.namespace === policy.metadata.namespace &&
    (expression?.operator !== 'In' ||
      expression.values?.includes(end.pod.labels[expression.key] ?? ''));
  return lines.filter(
    ({connection: {from, to}}) =>
      (directionsOf(policy).includes('Ingress') && isChosen(to)) ||
      (directionsOf(policy).includes('Egress') && isChosen(from)),
  );
};

const ownOf = async (policy: Policy) =>
  (await prepared()).policies.filter(
    ({metadata}) => metadata.namespace === policy.metadata.namespace,
  );

const ask = async (policies: readonly Policy[], asked: readonly Line[]) =>
  (await prepared()).isAllowed(
    policies,
    asked.map(({connection}) => connection),
    {twice: false},
  );

/** What a namespace's policies, as they are, answer rightly: a change is noticed where one of these is wrong. */
const rightOf = async (policy: Policy): Promise<ReadonlySet<Line>> => {
  const {namespace} = policy.metadata;
  const touched = lines.filter(({connection: {from, to}}) =>
    [from.pod?.namespace, to.pod?.namespace].includes(namespace),
  );
  const answers = await ask(await ownOf(policy), touched);
  return new Set(touched.filter(({allowed}, index) => answers[index] === allowed));
};

const rights = new Map<string, ReturnType<typeof rightOf>>();

const isNoticed = async (policy: Policy, become: Policy | undefined): Promise<boolean> => {
  const {namespace} = policy.metadata;
  const right = rights.get(namespace) ?? rightOf(policy);
  rights.set(namespace, right);
  const changed = (await ownOf(policy)).flatMap(other =>
    other !== policy ? [other] : become ? [become] : [],
  );
  const known = await right;
  const asked = linesOf(policy).filter(
    line => known.has(line) && (become === undefined || !line.allowed),
  );
  for (const part of inParts(asked)) {
    const answers = await ask(changed, part);
    if (part.some(({allowed}, index) => answers[index] !== allowed)) {
      return true;
    }
  }
  return false;
};

/** Each part has lines from all over the table: most changes are noticed by the first. */
const inParts = (asked: readonly Line[]): readonly (readonly Line[])[] => {
  const count = Math.ceil(asked.length / 200);
  return Array.from({length: count}, (_, part) =>
    asked.filter((_, index) => index % count === part),
  );
};

const unnoticed = async (mutate: (policy: Policy) => Policy) => {
  const found: string[] = [];
  for (const policy of (await prepared()).policies) {
    const become = mutate(policy);
    if (!isDeepStrictEqual(become, policy) && !(await isNoticed(policy, become))) {
      found.push(nameOf(policy));
    }
  }
  return found;
};

const nameOf = ({metadata}: Policy) => `${metadata.namespace}/${metadata.name}`;

const withRules = (policy: Policy, widen: (rule: Rule) => Rule): Policy => {
  const ingress = rulesOf(policy.spec.ingress)?.map(widen);
  const egress = rulesOf(policy.spec.egress)?.map(widen);
  return {
    ...policy,
    spec: {...policy.spec, ...(ingress && {ingress}), ...(egress && {egress})},
  };
};

test('a policy that is dropped is missed by a line of the table', async t => {
  const missed: string[] = [];
  for (const policy of (await prepared()).policies) {
    missed.push(...((await isNoticed(policy, undefined)) ? [] : [nameOf(policy)]));
  }
  t.deepEqual(missed, []);
});

test('a policy that is open at every port is noticed by a line of the table', async t => {
  const found = await unnoticed(policy => withRules(policy, ({ports: _, ...rule}) => rule));
  t.deepEqual(found, []);
});

test('a policy that is open to everybody is noticed by a line of the table', async t => {
  const found = await unnoticed(policy => withRules(policy, ({ports}) => (ports ? {ports} : {})));
  t.deepEqual(found, []);
});

test('a policy that opens to whole namespaces where it names pods is noticed by a line of the table', async t => {
  const forget = (peers: unknown) =>
    (peers as readonly Record<string, unknown>[]).map(peer => {
      const {podSelector, ...whole} = peer;
      return podSelector && peer.namespaceSelector ? whole : peer;
    });
  const found = await unnoticed(policy =>
    withRules(policy, ({from, to, ...rule}) => ({
      ...rule,
      ...(from ? {from: forget(from)} : {}),
      ...(to ? {to: forget(to)} : {}),
    })),
  );
  t.deepEqual(found, []);
});
