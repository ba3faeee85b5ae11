import {readFileSync} from 'node:fs';
import {Validator} from '@seriousme/openapi-schema-validator';
import test from 'ava';
import {parse} from 'yaml';
import {catalogue} from '../../events/errors.ts';
import {createOpenApi, readDocument} from '../helpers/openapi.ts';

type Operation = {
  operationId: string;
  summary?: string;
  tags?: string[];
  parameters?: {$ref?: string}[];
  requestBody?: object;
  responses: Record<string, {$ref?: string}>;
  'x-access': {role: string; subjects?: unknown[]};
};

const document = readDocument();
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => method !== 'parameters')
    .map(([method, operation]) => ({
      path,
      method,
      operation: operation as unknown as Operation,
      what: `${method.toUpperCase()} ${path}`,
    })),
);
const has = ({parameters = []}: Operation, name: string) =>
  parameters.some(({$ref}) => $ref === `#/components/parameters/${name}`);

test('the document is of OpenAPI 3.1, by its official schema', async t => {
  const text = readFileSync(new URL('../../schemas/http/admin.yaml', import.meta.url), 'utf8');
  const validator = new Validator();
  const result = await validator.validate(parse(text));
  t.deepEqual(result, {valid: true});
  t.is(validator.version, '3.1');
});

test('every operation has a name of its own, a sentence, a known tag, and says who may call it', t => {
  const tags = (document.tags as {name: string}[]).map(({name}) => name);
  const ids = operations.map(({operation}) => operation.operationId);
  t.is(new Set(ids).size, ids.length);
  for (const {what, operation} of operations) {
    t.regex(operation.operationId, /^[a-z][A-Za-z]+$/, what);
    t.regex(String(operation.summary), /^[A-Z]/, what);
    t.true(
      (operation.tags ?? []).length === 1 && tags.includes(operation.tags?.[0] as string),
      what,
    );
    t.truthy(operation['x-access'].role, what);
  }
});

test('every operation says what it can be answered', t => {
  for (const {what, path, method, operation} of operations) {
    const can = Object.keys(operation.responses);
    const expected = ['400', '401', '503'];
    if (operation['x-access'].role !== 'anyone' || method !== 'get') {
      expected.push('403');
    }
    if (operation.requestBody) {
      expected.push('413', '415');
    }
    if (path.includes('{')) {
      expected.push('404');
    }
    if (has(operation, 'idempotencyKey')) {
      expected.push('409', '422', '429');
    }
    if (has(operation, 'ifMatch')) {
      expected.push('412');
    }
    if (has(operation, 'ifNoneMatch')) {
      expected.push('304');
    }
    t.deepEqual(
      expected.filter(status => !can.includes(status)),
      [],
      what,
    );
    t.true(
      can.some(status => status.startsWith('2')),
      what,
    );
    t.false(can.includes('default'), what);
  }
});

test('every status of an error is one of the catalogue', t => {
  const known = new Set(Object.values(catalogue).map(({status}) => String(status)));
  for (const {what, operation} of operations) {
    for (const status of Object.keys(operation.responses)) {
      t.true(known.has(status) || /^[23]/.test(status), `${what} ${status}`);
    }
  }
});

test('what one resource is read, changed and ended by knows ETags', t => {
  for (const {what, path, method, operation} of operations) {
    if (path.endsWith('}') && operation.operationId !== 'explainRequest') {
      t.true(has(operation, 'ifMatch'), what);
      t.is(has(operation, 'ifNoneMatch'), method === 'get', what);
    }
  }
});

test('every example is of its schema', t => {
  const {checkSchema} = createOpenApi();
  let count = 0;
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    for (const example of (schema.examples as unknown[] | undefined) ?? []) {
      t.notThrows(() => checkSchema(name, example), name);
      count += 1;
    }
  }
  t.true(count > 30);
});
