/**
Client: the typed methods of the admin API, one an operation.

In: an OpenAPI document. Out: the text of `functions/admin/client/operations.ts` and of `types.ts`, not yet formatted. Parameters of
path, query and header are fields of one input, beside `body`: `client.createKey({project, body: {name}})`.
*/
import {
  type ClientOperation,
  type Parameter,
  pascal,
  readClientDocument,
  type Schema,
} from './client-document.ts';
import {renderClientTypes} from './client-types.ts';

/** `If-Match` becomes `ifMatch`. */
const fieldOf = ({name, in: place}: Parameter) =>
  place === 'header'
    ? name
        .split('-')
        .map((part, index) => (index === 0 ? part.toLowerCase() : pascal(part.toLowerCase())))
        .join('')
    : name;

const typeOf = (schema: Schema): string => {
  if (typeof schema.$ref === 'string') {
    return schema.$ref.split('/').at(-1) as string;
  }
  if (Array.isArray(schema.enum)) {
    return schema.enum.map(value => JSON.stringify(value)).join(' | ');
  }
  if (schema.type === 'array') {
    return `readonly (${typeOf((schema.items ?? {}) as Schema)})[]`;
  }
  return schema.type === 'integer' || schema.type === 'number'
    ? 'number'
    : schema.type === 'boolean'
      ? 'boolean'
      : 'string';
};

const comment = (text: string) => `/** ${text.replaceAll('*/', '*\\/').replaceAll(/\s+/g, ' ')} */`;

const fieldsOf = ({id, parameters, body}: ClientOperation) => {
  const names = [...parameters.map(fieldOf), ...(body ? ['body'] : [])];
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new Error(`${id} has two parameters that would be "${twice}"`);
  }
  return [
    ...parameters.map(parameter => ({
      text: `${parameter.description ? `${comment(parameter.description)}\n` : ''}${fieldOf(parameter)}${parameter.required ? '' : '?'}: ${typeOf(parameter.schema)}`,
      required: parameter.required,
    })),
    ...(body
      ? [{text: `body${body.required ? '' : '?'}: ${body.type}`, required: body.required}]
      : []),
  ];
};

const inputOf = (operation: ClientOperation) => `${pascal(operation.id)}Input`;

const inputType = (operation: ClientOperation) => {
  const fields = fieldsOf(operation).map(({text}) => `${text};`);
  return `export type ${inputOf(operation)} = ${
    fields.length === 0 ? 'Readonly<Record<string, never>>' : `Readonly<{\n${fields.join('\n')}\n}>`
  };`;
};

const callOf = (operation: ClientOperation, result: string) => {
  const mayBeLeftOut = fieldsOf(operation).every(({required}) => !required);
  return `${comment(`${operation.summary}. Errors: ${operation.errors.join(', ')}.`)}
  ${operation.id}(input${mayBeLeftOut ? '?' : ''}: ${inputOf(operation)}, options?: CallOptions): ${result};`;
};

const resultOf = ({answer}: ClientOperation) =>
  answer.kind === 'text'
    ? 'AsyncIterable<string>'
    : `Promise<${answer.kind === 'json' ? answer.type : 'void'}>`;

const routeOf = ({id, method, path, parameters, answer}: ClientOperation) => {
  const of = (place: Parameter['in']) => parameters.filter(({in: where}) => where === place);
  return `${id}: ${JSON.stringify({
    method,
    path,
    query: of('query').map(({name}) => name),
    headers: Object.fromEntries(of('header').map(one => [fieldOf(one), one.name])),
    answer: answer.kind,
  })}`;
};

export const renderClient = async (text: string): Promise<{operations: string; types: string}> => {
  const {version, operations, schemas} = readClientDocument(text);
  const lists = operations.filter(({item}) => item !== undefined);
  const body = `${operations.map(inputType).join('\n')}

export type Operations = Readonly<{
${operations.map(operation => callOf(operation, resultOf(operation))).join('\n')}
}>;

/** Of the document. */
export const apiVersion = ${JSON.stringify(version)};

/** Lists, each to its end. */
export type Lists = Readonly<{
${lists.map(operation => callOf(operation, `AsyncIterable<${operation.item}>`)).join('\n')}
}>;

export const listNames = ${JSON.stringify(lists.map(({id}) => id))} as const satisfies readonly (keyof Lists)[];

export const routes: Readonly<Record<keyof Operations, Route>> = {
${operations.map(routeOf).join(',\n')}
};
`;
  const used = Object.keys(schemas)
    .filter(name => new RegExp(`\\b${name}\\b`).test(body.replaceAll(/\/\*\*.*?\*\//g, '')))
    .sort();
  return {
    types: await renderClientTypes(schemas),
    operations: `/** Rendered from schemas/http/admin.yaml by \`npm run render\`; do not edit. */
import type {CallOptions, Route} from './route.ts';
${used.length > 0 ? `import type {${used.join(', ')}} from './types.ts';` : ''}

${body}`,
  };
};
