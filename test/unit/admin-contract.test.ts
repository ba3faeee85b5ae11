import test from 'ava';
import {loadContract} from '../../functions/admin/api/contract.ts';
import {createOpenApi, readDocument} from '../helpers/openapi.ts';

const contract = loadContract();
const id = '0192f0c1-7a00-7000-8000-00000000000a';
const budget = {org: id, unit: 'usd', limit: '5.00', period: 'month'};

test('every example of the admin contract is what its schema says', t => {
  const openApi = createOpenApi();
  let count = 0;
  for (const [name, schema] of Object.entries(openApi.document.components.schemas)) {
    for (const example of (schema.examples as unknown[] | undefined) ?? []) {
      openApi.checkSchema(name, example);
      count += 1;
    }
  }
  t.true(count > 20);
});

test('every operation of the admin contract has a name of its own, a summary and an answer without the key', t => {
  const names = new Set<unknown>();
  for (const [path, item] of Object.entries(readDocument().paths)) {
    for (const [method, operation] of Object.entries(item).filter(
      ([name]) => name !== 'parameters',
    )) {
      t.is(typeof operation.summary, 'string', `${method} ${path}`);
      t.false(names.has(operation.operationId), `${method} ${path}`);
      names.add(operation.operationId);
      t.true('401' in operation.responses, `${method} ${path}`);
    }
  }
});

test('every operation of the admin contract has schemas that can be compiled', t => {
  for (const item of Object.values(readDocument().paths)) {
    for (const {operationId} of Object.values(item).filter(each => each.operationId)) {
      const {code} = t.throws(() => contract.query(String(operationId), {nobodyAsks: 'x'}), {
        any: true,
      }) as {code?: string};
      t.is(code, 'bad_request', String(operationId));
    }
  }
});

const refused = test.macro(
  (t, operation: string, body: object, parameter: string | undefined, message: RegExp) => {
    const error = t.throws(() => contract.body(operation, body as Record<string, unknown>), {
      message,
    });
    t.like(error, {code: 'bad_request', parameter});
  },
);

test('a missing field is named', refused, 'createOrg', {}, 'name', /^name: expected, but/);
test(
  'an unknown field is named',
  refused,
  'createOrg',
  {name: 'a', nmae: 1},
  'nmae',
  /^nmae: not a/,
);
test(
  'a field inside a list is named with its place',
  refused,
  'createKey',
  {name: 'a', models: ['b', '']},
  'models.1',
  /^models\.1: expected: 1 to 200/,
);
test(
  'an amount of money as a float is refused with what was expected',
  refused,
  'createBudget',
  {...budget, limit: 5.5},
  'limit',
  /^limit: expected: USD as decimal text/,
);
test(
  'a budget that limits nothing is refused with what was expected',
  refused,
  'createBudget',
  {...budget, org: undefined},
  undefined,
  /expected: Exactly one of/,
);
test(
  'a budget that limits two things is refused',
  refused,
  'createBudget',
  {...budget, key: id},
  undefined,
  /expected: Exactly one of/,
);
test(
  'an unknown period is refused with those that there are',
  refused,
  'createBudget',
  {...budget, period: 'year'},
  'period',
  /one of day, week, month, none/,
);
test(
  'a change that changes nothing is refused',
  refused,
  'changeBudget',
  {},
  undefined,
  /fewer than 1/,
);

test('a number in a query comes as a number, and one that is absent as its default', t => {
  t.deepEqual(contract.query('listOrgs', {}), {limit: 100});
  t.deepEqual(contract.query('listOrgs', {limit: '7', after: id}), {limit: 7, after: id});
});

test('a parameter that is unknown, twice there or over its bound is refused', t => {
  for (const query of [
    {limt: '1'},
    {limit: ['1', '2']},
    {limit: '1001'},
    {limit: '0'},
    {limit: ''},
  ]) {
    t.throws(() => contract.query('listOrgs', query), {message: /^lim/}, JSON.stringify(query));
  }
});

test('an operation that the contract does not have is a fault of ours', t => {
  t.throws(() => contract.body('createEverything', {}), {message: /no such operation/});
});
