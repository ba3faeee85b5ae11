/**
Contract: `schemas/http/admin.yaml`, by which every request is checked, so that the document cannot say something else
than the routes do.

In: an operation's name and what came. Out: the checked value, or `bad_request` with the first field that is wrong.
*/
import {readFileSync} from 'node:fs';
import {type ErrorObject, type ValidateFunction, Ajv2020 as Validator} from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import {parse} from 'yaml';
import {SluiceError} from '../../../events/errors.ts';

type Schema = Readonly<Record<string, unknown>>;
type Parameter = Readonly<{
  $ref?: string;
  name: string;
  in: string;
  required?: boolean;
  schema: Schema;
}>;
type Operation = Readonly<{
  operationId?: string;
  parameters?: readonly Parameter[];
  requestBody?: {content: {'application/json': {schema: Schema}}};
}>;
type Document = Readonly<{
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  components: Readonly<{
    parameters: Readonly<Record<string, Parameter>>;
    schemas: Readonly<Record<string, Schema>>;
  }>;
}>;
type Fields = Record<string, unknown>;

export type Contract = Readonly<{
  body<Body>(operation: string, value: Fields): Body;
  /** Numbers come as texts and leave as numbers; defaults are set. */
  query<Query>(operation: string, value: Fields): Query;
}>;

export const contractFile = new URL('../../../schemas/http/admin.yaml', import.meta.url);

/** JSON is YAML too, and is read in a hundredth of the time: the image has the document as JSON. */
export const parseDocument = (text: string): unknown =>
  text.startsWith('{') ? JSON.parse(text) : parse(text);

type Checks = Readonly<{body?: () => ValidateFunction; query: () => ValidateFunction}>;

const once = <Made>(make: () => Made): (() => Made) => {
  let made: Made | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

/**
An operation's schemas are compiled by the first request that has use for them, and with no more of the document than they point to: all of
it would be most of a start from zero.
*/
export const loadContract = (text = readFileSync(contractFile, 'utf8')): Contract => {
  const document = parseDocument(text) as Document;
  const bodies = createCompiler(document, {coerceTypes: false});
  const queries = createCompiler(document, {coerceTypes: true, useDefaults: true});
  const checks = new Map<string, Checks>();
  for (const item of Object.values(document.paths)) {
    for (const operation of Object.values(item)) {
      if (operation.operationId !== undefined) {
        checks.set(operation.operationId, {
          query: once(() => queries(querySchema(document, operation))),
          ...(operation.requestBody === undefined
            ? {}
            : {body: once(() => bodies(bodySchema(operation)))}),
        });
      }
    }
  }
  const check = (made: (() => ValidateFunction) | undefined, operation: string, value: Fields) => {
    if (!made) {
      throw new Error(`admin.yaml has no such operation: ${operation}`);
    }
    const validate = made();
    if (!validate(value)) {
      throw refusal(validate.errors ?? []);
    }
    return value;
  };
  return {
    body: <Body>(operation: string, value: Fields) =>
      check(checks.get(operation)?.body, operation, value) as Body,
    query: <Query>(operation: string, value: Fields) =>
      check(checks.get(operation)?.query, operation, {...value}) as Query,
  };
};

const createCompiler = (document: Document, options: object) => {
  const validator = once(() => {
    const made = new Validator({strict: false, validateSchema: false, verbose: true, ...options});
    formats.default(made);
    return made;
  });
  return (schema: Schema) =>
    validator().compile({...schema, components: {schemas: pointedTo(document, schema)}});
};

/** The schemas that a schema points to, those included that they point to. */
const pointedTo = (document: Document, schema: Schema) => {
  const {schemas} = document.components;
  const found: Record<string, Schema> = {};
  const waiting: unknown[] = [schema];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const [, name] of JSON.stringify(next).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (name !== undefined && found[name] === undefined) {
        found[name] = schemas[name] as Schema;
        waiting.push(found[name]);
      }
    }
  }
  return found;
};

const bodySchema = ({requestBody}: Operation): Schema =>
  requestBody?.content['application/json'].schema as Schema;

const querySchema = (document: Document, {parameters = []}: Operation) => {
  const found = parameters
    .map(parameter => resolve(document, parameter))
    .filter(parameter => parameter.in === 'query');
  return {
    type: 'object',
    additionalProperties: false,
    required: found.filter(({required}) => required).map(({name}) => name),
    properties: Object.fromEntries(found.map(({name, schema}) => [name, schema])),
  };
};

const resolve = (document: Document, parameter: Parameter): Parameter =>
  parameter.$ref === undefined
    ? parameter
    : (document.components.parameters[parameter.$ref.split('/').at(-1) as string] as Parameter);

/** Of several complaints the last is the most general: `oneOf` follows those of its branches. */
const refusal = (errors: readonly ErrorObject[]) => {
  const error = errors.at(-1) as ErrorObject;
  const {missingProperty, additionalProperty} = error.params as {
    missingProperty?: string;
    additionalProperty?: string;
  };
  const path = error.instancePath.split('/').slice(1);
  const name = missingProperty ?? additionalProperty;
  const parameter = (name === undefined ? path : [...path, name]).join('.').slice(0, 64);
  return new SluiceError('bad_request', `${parameter || 'the body'}: ${explain(error)}`, {
    ...(parameter === '' ? {} : {parameter}),
  });
};

const explain = ({keyword, message, params, parentSchema, schema}: ErrorObject): string => {
  switch (keyword) {
    case 'additionalProperties':
      return 'not a field or parameter of this route';
    case 'required':
      return 'expected, but it is not there';
    case 'enum':
      return `expected one of ${(params as {allowedValues: unknown[]}).allowedValues.join(', ')}`;
    default: {
      const {description} = (parentSchema ?? schema ?? {}) as {description?: string};
      return description ? `expected: ${description.trim()}` : (message ?? 'not as expected');
    }
  }
};
