import {readFileSync} from 'node:fs';
import test from 'ava';
import {parse, stringify} from 'yaml';
import {renderClient} from '../../schemas/render/client.ts';

const things = {
  openapi: '3.1.0',
  info: {title: 'Things', version: '2.3.4'},
  paths: {
    '/things/{id}': {
      parameters: [{name: 'id', in: 'path', required: true, schema: {type: 'string'}}],
      patch: {
        operationId: 'changeThing',
        summary: 'Changes a thing',
        parameters: [{$ref: '#/components/parameters/IfMatch'}],
        requestBody: {
          required: true,
          content: {'application/json': {schema: {$ref: '#/components/schemas/Change'}}},
        },
        responses: {
          200: {
            description: 'It',
            content: {
              'application/json': {
                schema: {$ref: '#/components/schemas/Thing', required: ['secret']},
              },
            },
          },
          412: {description: 'no'},
        },
      },
      delete: {
        operationId: 'removeThing',
        summary: 'Removes it',
        responses: {204: {description: 'gone'}},
      },
    },
    '/things': {
      get: {
        operationId: 'listThings',
        summary: 'Lists things',
        parameters: [
          {name: 'after', in: 'query', schema: {type: 'string'}},
          {name: 'limit', in: 'query', schema: {type: 'integer'}},
          {name: 'state', in: 'query', schema: {enum: ['new', 'old']}},
        ],
        responses: {
          200: {
            description: 'A page',
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  required: ['data'],
                  properties: {
                    data: {type: 'array', items: {$ref: '#/components/schemas/Thing'}},
                    next: {type: 'string'},
                  },
                },
              },
            },
          },
        },
      },
    },
    '/things.csv': {
      get: {
        operationId: 'exportThings',
        summary: 'All',
        responses: {200: {description: 'x', content: {'text/csv': {schema: {type: 'string'}}}}},
      },
    },
  },
  components: {
    parameters: {IfMatch: {name: 'If-Match', in: 'header', schema: {type: 'string'}}},
    schemas: {
      Thing: {
        type: 'object',
        required: ['id'],
        properties: {id: {type: 'string'}, secret: {type: 'string'}, more: {type: 'object'}},
      },
      Change: {
        type: 'object',
        additionalProperties: false,
        oneOf: [{required: ['name']}, {required: ['size']}],
        properties: {name: {type: 'string'}, size: {type: ['integer', 'null']}},
      },
      Nothing: {type: 'object', additionalProperties: false},
    },
  },
};
const render = async (document: object) => {
  const {operations, types} = await renderClient(stringify(document));
  const flat = (text: string) => text.replaceAll(/\s+/g, ' ');
  return {operations: flat(operations), types: flat(types)};
};

test('an operation becomes a method: path, header and body are one input', async t => {
  const {operations} = await render(things);
  t.true(
    operations.includes(
      'export type ChangeThingInput = Readonly<{ id: string; ifMatch?: string; body: Change; }>;',
    ),
  );
  t.true(operations.includes('/** Changes a thing. Errors: 412. */'));
  t.true(
    operations.includes(
      'changeThing(input: ChangeThingInput, options?: CallOptions): Promise<ChangeThingAnswer>;',
    ),
  );
  t.true(
    operations.includes(
      'removeThing(input: RemoveThingInput, options?: CallOptions): Promise<void>;',
    ),
  );
  t.true(operations.includes('"headers":{"ifMatch":"If-Match"}'));
  t.true(operations.includes('export const apiVersion = "2.3.4";'));
});

test('a list has a second method that goes to its end, and a stream is no promise', async t => {
  const {operations} = await render(things);
  t.true(
    operations.includes(
      'listThings(input?: ListThingsInput, options?: CallOptions): AsyncIterable<Thing>;',
    ),
  );
  t.true(operations.includes('state?: "new" | "old";'));
  t.true(operations.includes('limit?: number;'));
  t.true(
    operations.includes(
      'exportThings(input?: ExportThingsInput, options?: CallOptions): AsyncIterable<string>;',
    ),
  );
  t.true(operations.includes('export const listNames = ["listThings"]'));
});

test('a schema becomes a type, whatever it demands besides', async t => {
  const {types} = await render(things);
  t.true(
    types.includes(
      'export type Thing = { id: string secret?: string more?: { [k: string]: unknown }; };',
    ),
  );
  t.true(types.includes('export type ChangeThingAnswer = { id: string secret: string'));
  t.true(types.includes('export type Change = { name?: string size?: (number | null) };'));
  t.true(types.includes('export type Nothing = Record<string, never>;'));
});

test('two parameters that would be one field are a mistake of the document', async t => {
  const document = structuredClone(things);
  const {parameters} = document.paths['/things/{id}'].patch as {parameters: object[]};
  parameters.push({name: 'id', in: 'query', schema: {type: 'string'}});
  await t.throwsAsync(renderClient(stringify(document)), {
    message: 'changeThing has two parameters that would be "id"',
  });
});

test('every operation and schema of the admin API is rendered', async t => {
  const text = readFileSync(new URL('../../schemas/http/admin.yaml', import.meta.url), 'utf8');
  const {operations, types} = await renderClient(text);
  const {paths, components} = parse(text) as {
    paths: Record<string, Record<string, {operationId?: string}>>;
    components: {schemas: Record<string, unknown>};
  };
  for (const item of Object.values(paths)) {
    for (const {operationId} of Object.values(item)) {
      t.true(operationId === undefined || operations.includes(`\n  ${operationId}(`), operationId);
    }
  }
  for (const name of Object.keys(components.schemas)) {
    t.regex(types, new RegExp(`^export type ${name} =`, 'm'), name);
  }
});
