/**
Client document: what the TypeScript client needs of an OpenAPI document, read once.

In: the text of the document. Out: its operations with their parameters, bodies and answers, and the schemas by name. What is
not a plain reference to a schema of the components gets a name of its own: `ListOrgsAnswer`.
*/
import {parse} from 'yaml';

export type Schema = Readonly<{[name: string]: unknown}>;
export type Parameter = Readonly<{
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: Schema;
}>;
export type ClientOperation = Readonly<{
  id: string;
  method: string;
  path: string;
  summary: string;
  parameters: readonly Parameter[];
  body?: Readonly<{type: string; required: boolean}>;
  /** `text`: a stream of what is no JSON. */
  answer: Readonly<{kind: 'json'; type: string} | {kind: 'text'} | {kind: 'none'}>;
  /** The type of what a list holds, where it goes on by `after` and `next`. */
  item?: string;
  errors: readonly string[];
}>;
export type ClientDocument = Readonly<{
  version: string;
  operations: readonly ClientOperation[];
  schemas: Readonly<Record<string, Schema>>;
}>;

type Raw = Readonly<{[name: string]: unknown}>;
const methods = ['get', 'put', 'post', 'delete', 'patch'];
export const pascal = (name: string) => `${name[0]?.toUpperCase()}${name.slice(1)}`;
const lastOf = (reference: string) => reference.split('/').at(-1) as string;

export const readClientDocument = (text: string): ClientDocument => {
  const document = parse(text) as {
    info: {version: string};
    paths: Record<string, Raw>;
    components?: {[kind: string]: Record<string, Raw>};
  };
  const resolve = (node: Raw | undefined): Raw | undefined => {
    if (typeof node?.$ref !== 'string') {
      return node;
    }
    const [, , kind = '', name = ''] = node.$ref.split('/');
    return resolve(document.components?.[kind]?.[name]);
  };
  const schemas: Record<string, Schema> = {...document.components?.schemas};
  /** A reference that asks for more than the schema does is a schema of its own. */
  const nameOf = (schema: Schema, name: string): string => {
    const {$ref: reference, description: _, ...more} = schema;
    if (typeof reference === 'string' && Object.keys(more).length === 0) {
      return lastOf(reference);
    }
    const base = typeof reference === 'string' ? (resolve({$ref: reference}) ?? {}) : {};
    const required = [...listOf(base.required), ...listOf(more.required)];
    schemas[name] = {...base, ...more, ...(required.length > 0 ? {required} : {})};
    return name;
  };
  const answerOf = (id: string, responses: Raw): ClientOperation['answer'] => {
    const status = Object.keys(responses).find(name => /^2\d\d$/.test(name));
    const content = resolve(responses[status ?? ''] as Raw)?.content as Raw | undefined;
    const json = content?.['application/json'] as {schema: Schema} | undefined;
    if (json) {
      return {kind: 'json', type: nameOf(json.schema, `${pascal(id)}Answer`)};
    }
    return {kind: content ? 'text' : 'none'};
  };
  const read = (path: string, method: string, item: Raw, shared: readonly Raw[]) => {
    const id = item.operationId as string;
    const parameters = [...shared, ...((item.parameters ?? []) as Raw[])].map(
      raw => ({required: false, ...resolve(raw)}) as unknown as Parameter,
    );
    const body = resolve(item.requestBody as Raw | undefined);
    const json = (body?.content as Raw | undefined)?.['application/json'] as
      | {schema: Schema}
      | undefined;
    const responses = item.responses as Raw;
    const answer = answerOf(id, responses);
    return {
      id,
      method: method.toUpperCase(),
      path,
      summary: (item.summary ?? id) as string,
      // An answer has one type: JSON where there is a choice.
      parameters: parameters.filter(({name}) => !(name === 'format' && answer.kind === 'json')),
      answer,
      errors: Object.keys(responses).filter(name => /^[45]/.test(name)),
      ...(json
        ? {
            body: {
              type: nameOf(json.schema, `${pascal(id)}Body`),
              required: Boolean(body?.required),
            },
          }
        : {}),
      ...itemOf(parameters, answer, schemas),
    };
  };
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    (Object.entries(item) as [string, Raw][])
      .filter(([method, operation]) => methods.includes(method) && operation.operationId)
      .map(([method, operation]) =>
        read(path, method, operation, (item.parameters ?? []) as readonly Raw[]),
      ),
  );
  return {version: document.info.version, operations, schemas};
};

const listOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value : []);

const itemOf = (
  parameters: readonly Parameter[],
  answer: ClientOperation['answer'],
  schemas: Readonly<Record<string, Schema>>,
) => {
  const schema = answer.kind === 'json' ? schemas[answer.type] : undefined;
  const {data, next} = (schema?.properties ?? {}) as {data?: {items?: Schema}; next?: Schema};
  const reference = data?.items?.$ref;
  return next && typeof reference === 'string' && parameters.some(({name}) => name === 'after')
    ? {item: lastOf(reference)}
    : {};
};
