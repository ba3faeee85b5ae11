/**
OpenAPI: holds answers to the document that promises them.

In: a document, and for each answer its method, path, status, media type and body. Out: nothing, or an error that says where
they differ. Stricter than a client would be: a field that the document does not name is a difference.
*/
import {readFileSync} from 'node:fs';
import {type ValidateFunction, Ajv2020 as Validator} from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import {parse} from 'yaml';

type Node = {[name: string]: unknown};
type Answer = Readonly<{
  method: string;
  /** With or without a query. */
  path: string;
  status: number;
  contentType?: string | null;
  body?: unknown;
}>;

const pointerPart = (text: string) => text.replaceAll('~', '~0').replaceAll('/', '~1');
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const readDocument = (name = 'admin.yaml') =>
  parse(readFileSync(new URL(`../../schemas/http/${name}`, import.meta.url), 'utf8')) as Node & {
    paths: Record<string, Record<string, Node & {responses: Record<string, Node>}>>;
    components: {schemas: Record<string, Node>};
  };

/** Every object schema that lists its properties has no others. */
const close = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    return value.map(close);
  }
  if (!isNode(value)) {
    return value;
  }
  const closed = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, close(item)]));
  return closed.type === 'object' && isNode(closed.properties)
    ? {additionalProperties: false, ...closed}
    : closed;
};

const prepare = (document: ReturnType<typeof readDocument>) => {
  const validator = new Validator({strict: false, validateSchema: false, allErrors: true});
  formats.default(validator);
  validator.addSchema(close(document) as Node, 'document');
  return {document, validator, compiled: new Map<string, ValidateFunction>()};
};

/** Read and compiled once a file of tests: each of them would take seconds of a busy machine, in which no server of theirs answers. */
let prepared: ReturnType<typeof prepare> | undefined;

export const createOpenApi = () => {
  prepared ??= prepare(readDocument());
  const {document, validator, compiled} = prepared;
  const seen = new Set<string>();

  const validate = (pointer: string, value: unknown, what: string) => {
    let check = compiled.get(pointer);
    if (!check) {
      check = validator.compile({$ref: `document#${pointer}`});
      compiled.set(pointer, check);
    }
    if (!check(value)) {
      throw new Error(`${what}: ${validator.errorsText(check.errors)} in ${JSON.stringify(value)}`);
    }
  };

  const templateOf = (path: string) => {
    const parts = path.split('?')[0]?.split('/') ?? [];
    const fits = (template: string) => {
      const wanted = template.split('/');
      return (
        wanted.length === parts.length &&
        wanted.every((part, index) => part === parts[index] || part.startsWith('{'))
      );
    };
    const literals = (template: string) =>
      template.split('/').filter(part => part[0] !== '{').length;
    return Object.keys(document.paths)
      .filter(fits)
      .sort((a, b) => literals(b) - literals(a))[0];
  };

  return {
    document,
    /** `METHOD template status` of every answer that was checked. */
    seen: seen as ReadonlySet<string>,
    check({method, path, status, contentType, body}: Answer) {
      const template = templateOf(path);
      const operation = template && document.paths[template]?.[method.toLowerCase()];
      if (!template || !operation) {
        throw new Error(`the document has no ${method} ${path}`);
      }
      const what = `${method} ${template} ${status}`;
      const response = operation.responses[String(status)];
      if (!response) {
        throw new Error(`the document does not promise ${what}: ${JSON.stringify(body)}`);
      }
      seen.add(what);
      const reference = (response.$ref as string | undefined)?.slice(1);
      const pointer =
        reference ?? `/paths/${pointerPart(template)}/${method.toLowerCase()}/responses/${status}`;
      const content = contentOf(document, pointer);
      const mediaType = contentType?.split(';')[0]?.trim();
      if (content === undefined) {
        if (body !== undefined) {
          throw new Error(`${what} has a body, the document promises none`);
        }
        return;
      }
      if (mediaType === undefined || !(mediaType in content)) {
        throw new Error(`${what} is ${mediaType}, expected ${Object.keys(content).join(' or ')}`);
      }
      validate(`${pointer}/content/${pointerPart(mediaType)}/schema`, body, what);
    },
    /** A value against a schema of the document's components. */
    checkSchema: (name: string, value: unknown) =>
      validate(`/components/schemas/${name}`, value, name),
  };
};

const contentOf = (document: Node, pointer: string): Node | undefined => {
  let found: unknown = document;
  for (const part of pointer.split('/').slice(1)) {
    found = (found as Node)[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return (found as Node).content as Node | undefined;
};
