import {fileURLToPath} from 'node:url';
import {Ajv2020} from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import test from 'ava';
import {eventTypes} from '../../events/types.ts';
import {type EventSchema, readEventSchemas} from '../../schemas/render/event-schemas.ts';

const schemas = readEventSchemas(fileURLToPath(new URL('../../schemas/events', import.meta.url)));

const compile = (schema: EventSchema) => {
  const ajv = new Ajv2020({strict: true, allErrors: true, allowUnionTypes: true});
  addFormats.default(ajv);
  for (const name of ['x-type', 'x-producer', 'x-consumers', 'x-carrier', 'x-open']) {
    ajv.addKeyword(name);
  }
  return ajv.compile(schema);
};

for (const schema of schemas) {
  test(`every example of ${schema['x-type']} fits its schema`, t => {
    const validate = compile(schema);
    for (const example of schema.examples) {
      validate(example);
      t.deepEqual(validate.errors ?? [], []);
    }
  });

  test(`data of ${schema['x-type']} without a required field, or with an unknown one, does not fit`, t => {
    const validate = compile(schema);
    const example = schema.examples[0] as Record<string, unknown>;
    t.false(validate({...example, surprise: true}));
    for (const name of schema.required ?? []) {
      const {[name]: _, ...rest} = example;
      t.false(validate(rest), name);
    }
  });
}

test('the rendered list of types is the list of schemas', t => {
  t.deepEqual(
    [...eventTypes],
    schemas.map(schema => schema['x-type']),
  );
});
