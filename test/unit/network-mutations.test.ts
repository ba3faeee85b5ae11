/** That charts/control-plane/network.yaml sees every policy: one that is dropped or widened makes a line of it wrong. */
import test from 'ava';
import {createCyclonus, type Policy} from '../helpers/cyclonus.ts';
import {createWho} from '../helpers/network-pods.ts';
import {renderPolicies} from '../helpers/network-policies.ts';
import {expandRows, type Line, readRows} from '../helpers/network-table.ts';
import {requireGoTool} from '../runner/go-tools.ts';

// The first use on a machine builds Helm and the evaluator.
test.before(t => t.timeout(15 * 60_000));
test.beforeEach(t => t.timeout(5 * 60_000));

const lines = expandRows(readRows(), createWho());

const prepare = async () => ({
  policies: await renderPolicies(),
  isAllowed: createCyclonus(await requireGoTool('cyclonus')),
});
let prepared: ReturnType<typeof prepare>;
test.before(async () => {
  prepared = prepare();
  await prepared;
});

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

/** Whether a line that is right with the policy as it is is wrong with what became of it. */
const isNoticed = async (policy: Policy, become: Policy | undefined): Promise<boolean> => {
  const {policies, isAllowed} = await prepared;
  const own = policies.filter(({metadata}) => metadata.namespace === policy.metadata.namespace);
  const changed = own.flatMap(other => (other !== policy ? [other] : become ? [become] : []));
  const asked = linesOf(policy);
  const connections = asked.map(({connection}) => connection);
  const before = await isAllowed(own, connections, {twice: false});
  const after = await isAllowed(changed, connections, {twice: false});
  return asked.some(({allowed}, index) => before[index] === allowed && after[index] !== allowed);
};

const unnoticed = async (mutate: (policy: Policy) => Policy | undefined) => {
  const {policies} = await prepared;
  const found: string[] = [];
  for (const policy of policies) {
    const become = mutate(policy);
    const isSame = JSON.stringify(become) === JSON.stringify(policy);
    if (!isSame && !(await isNoticed(policy, become))) {
      found.push(`${policy.metadata.namespace}/${policy.metadata.name}`);
    }
  }
  return found;
};

const withRules = (policy: Policy, widen: (rule: Rule) => Rule): Policy => {
  const ingress = rulesOf(policy.spec.ingress)?.map(widen);
  const egress = rulesOf(policy.spec.egress)?.map(widen);
  return {
    ...policy,
    spec: {...policy.spec, ...(ingress && {ingress}), ...(egress && {egress})},
  };
};

test('a policy that is dropped is missed by a line of the table', async t => {
  t.deepEqual(await unnoticed(() => undefined), []);
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
    (peers as readonly Record<string, unknown>[]).map(({podSelector, ...peer}) =>
      'namespaceSelector' in peer ? peer : {podSelector, ...peer},
    );
  const found = await unnoticed(policy =>
    withRules(policy, ({from, to, ...rule}) => ({
      ...rule,
      ...(from ? {from: forget(from)} : {}),
      ...(to ? {to: forget(to)} : {}),
    })),
  );
  t.deepEqual(found, []);
});
