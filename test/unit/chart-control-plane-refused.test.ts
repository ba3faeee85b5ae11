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
