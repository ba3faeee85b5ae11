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
  requestBody?: unknown;
}>;
type Document = Readonly<{
  paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  components: Readonly<{parameters: Readonly<Record<string, Parameter>>}>;
}>;
type Fields = Record<string, unknown>;

export type Contract = Readonly<{
  body<Body>(operation: string, value: Fields): Body;
  /** Numbers come as texts and leave as numbers; defaults are set. */
  query<Query>(operation: string, value: Fields): Query;
}>;

export const contractFile = new URL('../../../schemas/http/admin.yaml', import.meta.url);
const documentId = 'admin.yaml';
const pointerPart = (text: string) => text.replaceAll('~', '~0').replaceAll('/', '~1');

/** JSON is YAML too, and is read in a hundredth of the time: the image has the document as JSON. */
export const parseDocument = (text: string): unknown =>
  text.startsWith('{') ? JSON.parse(text) : parse(text);

type Checks = Readonly<{body?: ValidateFunction; query: ValidateFunction}>;

/** An operation's schemas are compiled by its first request: all of them would be most of a start from zero. */
export const loadContract = (text = readFileSync(contractFile, 'utf8')): Contract => {
  const document = parseDocument(text) as Document;
  const bodies = createValidator(document, {coerceTypes: false});
  const queries = createValidator(document, {coerceTypes: true, useDefaults: true});
  const makers = new Map<string, () => Checks>();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (operation.operationId !== undefined) {
        makers.set(operation.operationId, () => ({
          query: queries.compile(querySchema(document, operation)),
          ...(operation.requestBody === undefined
            ? {}
            : {body: bodies.compile({$ref: bodyPointer(path, method)})}),
        }));
      }
    }
  }
  const made = new Map<string, Checks | undefined>();
  const checksOf = (operation: string) => {
    if (!made.has(operation)) {
      made.set(operation, makers.get(operation)?.());
    }
    return made.get(operation);
  };
  const check = (validate: ValidateFunction | undefined, operation: string, value: Fields) => {
    if (!validate) {
      throw new Error(`${documentId} has no such operation: ${operation}`);
    }
    if (!validate(value)) {
      throw refusal(validate.errors ?? []);
    }
    return value;
  };
  return {
    body: <Body>(operation: string, value: Fields) =>
      check(checksOf(operation)?.body, operation, value) as Body,
    query: <Query>(operation: string, value: Fields) =>
      check(checksOf(operation)?.query, operation, {...value}) as Query,
  };
};

const createValidator = (document: Document, options: object) => {
  const validator = new Validator({
    strict: false,
    validateSchema: false,
    verbose: true,
    ...options,
  });
  formats.default(validator);
  return validator.addSchema(document, documentId);
};

const bodyPointer = (path: string, method: string) =>
  `${documentId}#/paths/${pointerPart(path)}/${method}/requestBody/content/application~1json/schema`;

const querySchema = (document: Document, {parameters = []}: Operation) => {
  const found = parameters
    .map(parameter => resolve(document, parameter))
    .filter(parameter => parameter.in === 'query');
  return {
    type: 'object',
    additionalProperties: false,
    required: found.filter(({required}) => required).map(({name}) => name),
    properties: Object.fromEntries(found.map(({name, schema}) => [name, absolute(schema)])),
  };
};

const resolve = (document: Document, parameter: Parameter): Parameter =>
  parameter.$ref === undefined
    ? parameter
    : (document.components.parameters[parameter.$ref.split('/').at(-1) as string] as Parameter);

/** A schema that is taken out of its document still points into it. */
const absolute = (schema: Schema): Schema =>
  typeof schema.$ref === 'string' ? {...schema, $ref: documentId + schema.$ref} : schema;

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
