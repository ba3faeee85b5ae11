/** What the chart refuses: a typo is an error and not a value that does nothing. */
import test from 'ava';
import {gateway, refused} from '../helpers/chart-cases.ts';

// The first use on a machine builds Helm.
test.before(t => t.timeout(15 * 60_000));
test.beforeEach(t => t.timeout(5 * 60_000));

test('a function that there is not', refused, {functions: {gatewy: {minScale: 2}}}, /gatewy/);
test('a source that there is not', refused, {sources: {'budget-sauce': {}}}, /budget-sauce/);
test('a key of a function that there is not', refused, gateway({minscale: 2}), /minscale/);
test('a value that there is not', refused, {enviroment: 'production'}, /enviroment/);
test('an environment that there is not', refused, {environment: 'live'}, /environment/);
test('a cloud that there is not', refused, {global: {cloud: 'azure'}}, /cloud/);
test('a number where a text is wanted', refused, gateway({env: {PORT: 8080}}), /PORT/);
test('a time without a unit', refused, gateway({retention: '300'}), /retention/);
test(
  'both ways to make the Secret',
  refused,
  {secret: {create: true}, externalSecret: {enabled: true}},
  /choose one/,
);
test('no dead letter sink', refused, {functions: {deadletter: {enabled: false}}}, /deadLetterUri/);
test(
  'an edge without a host',
  refused,
  {edge: {enabled: true, gateway: {name: 'g'}}},
  /edge\.host/,
);
test(
  'an edge without a Gateway',
  refused,
  {edge: {enabled: true, host: 'a.example'}},
  /edge\.gateway\.name/,
);
test(
  'a disruption budget of nothing',
  refused,
  {podDisruptionBudgets: {gatewy: {maxUnavailable: 1}}},
  /gatewy/,
);
test(
  'defaults that turn everything off',
  refused,
  {functionDefaults: {enabled: false}},
  /functionDefaults/,
);

/** What would be an object of its own where a value is put into a template as it is. */
const injection = 'x\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: injected';

test('an image that ends its line', refused, {image: {repository: injection}}, /repository/);
test('a registry that ends its line', refused, {global: {imageRegistry: injection}}, /Registry/);
test(
  'a place of secrets that ends its line',
  refused,
  {externalSecret: {enabled: true, from: injection}},
  /from/,
);
test(
  'a key of the Secret that ends its line',
  refused,
  {secret: {create: true, data: {[injection]: 'x'}}},
  /propertyName/,
);
test(
  'a peer whose namespace ends its line',
  refused,
  {networkPolicies: {enabled: true, dns: [{namespace: injection}]}},
  /namespace/,
);
