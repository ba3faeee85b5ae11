import {Ajv} from 'ajv';
import test from 'ava';
import {askedOf} from '../../knative/local/simulated-model/asked.ts';
import {schemaValue} from '../../knative/local/simulated-model/schema-value.ts';
import {chat, readStream, startModel} from '../helpers/simulated-model.ts';

const parameters = {
  type: 'object',
  properties: {city: {type: 'string'}, days: {type: 'integer', minimum: 1, maximum: 7}},
  required: ['city', 'days'],
  additionalProperties: false,
};
const tool = {type: 'function', function: {name: 'get_weather', parameters}};
const asking = {messages: [{role: 'user', content: 'Ask get_weather about Ulm.'}]};
const validate = new Ajv().compile(parameters);

type CallChunk = {
  choices: {
    delta: {tool_calls?: {id?: string; function: {name?: string; arguments: string}}[]};
    finish_reason: string | null;
  }[];
};

const valid = test.macro((t, schema: object) => {
  const check = new Ajv().compile(schema);
  for (const seed of [0, 1, 7, 4_294_967_295]) {
    const value = schemaValue(schema, seed);
    t.true(check(value), `${JSON.stringify(value)}: ${JSON.stringify(check.errors)}`);
    t.deepEqual(schemaValue(schema, seed), value);
  }
});

const text = {type: 'string'};
test('a value of an object', valid, parameters);
test('a value of a nested one', valid, {
  type: 'object',
  properties: {
    list: {type: 'array', items: {type: 'object', properties: {text}, required: ['text']}},
    pair: {type: 'array', items: {type: 'number'}, minItems: 2},
    kind: {enum: ['a', 'b']},
    long: {type: 'string', minLength: 30},
    short: {type: 'string', maxLength: 2},
    above: {type: 'number', exclusiveMinimum: 0},
    maybe: {type: ['string', 'null']},
    other: {anyOf: [{type: 'boolean'}, {type: 'null'}]},
    one: {const: 1},
  },
  required: ['list', 'pair', 'kind', 'long', 'short', 'above', 'maybe', 'other', 'one'],
});
test('a value of a reference', valid, {
  type: 'object',
  properties: {place: {$ref: '#/$defs/place'}},
  required: ['place'],
  $defs: {place: {type: 'object', properties: {name: text}, required: ['name']}},
});

test('a schema that refers to itself has an end', t => {
  const schema = {type: 'object', properties: {next: {$ref: '#'}}};
  t.notThrows(() => schemaValue(schema, 1));
});

test('a tool is called when it must be, and when the user names it', t => {
  const called = (body: object) => askedOf({...asking, tools: [tool], ...body}).tool;
  t.is(called({}), 'get_weather');
  t.is(called({tool_choice: 'none'}), undefined);
  t.is(called({tool_choice: {type: 'none'}}), undefined);
  const other = {messages: [{role: 'user', content: 'Hello.'}]};
  t.is(called(other), undefined);
  t.is(called({...other, tool_choice: 'required'}), 'get_weather');
  t.is(called({...other, tool_choice: {type: 'any'}}), 'get_weather');
  t.is(called({...other, tool_choice: {type: 'function', function: {name: 'f'}}}), 'f');
  t.is(called({messages: [...asking.messages, {role: 'tool', content: 'get_weather'}]}), undefined);
  const result = [{type: 'tool_result', content: 'get_weather'}];
  t.is(called({messages: [{role: 'user', content: result}]}), undefined);
});

test('a chat calls a tool with what its schema requires, whole and streamed the same', async t => {
  const server = await startModel(t);
  const body = chat({...asking, tools: [tool]});
  const whole = await server.postJson('/v1/chat/completions', body);
  const [choice] = whole.body.choices;
  t.is(choice.finish_reason, 'tool_calls');
  t.is(choice.message.content, null);
  const [{id, ...call}] = choice.message.tool_calls;
  t.regex(id, /^chatcmpl-tool-/);
  t.like(call, {type: 'function', function: {name: 'get_weather'}});
  t.true(validate(JSON.parse(call.function.arguments)));
  t.is(whole.body.usage.completion_tokens, Math.ceil(call.function.arguments.length / 4));

  const response = await server.post('/v1/chat/completions', {
    ...body,
    stream: true,
    stream_options: {include_usage: true},
  });
  const {chunks, done} = await readStream(response);
  t.true(done);
  const choices = (chunks as unknown as CallChunk[]).flatMap(chunk => chunk.choices);
  const deltas = choices.flatMap(({delta}) => delta.tool_calls ?? []);
  t.is(deltas[0]?.function.name, 'get_weather');
  t.is(deltas.map(delta => delta.function.arguments).join(''), call.function.arguments);
  t.is(choices.at(-1)?.finish_reason, 'tool_calls');
  t.is(chunks.at(-1)?.usage?.completion_tokens, whole.body.usage.completion_tokens);
});

test('an answer keeps to its format, in any script, and is cut by a maximum', async t => {
  const server = await startModel(t);
  const schema = {
    type: 'object',
    properties: {Straße: {enum: ['Münster', 'Ulm 🐦']}},
    required: ['Straße'],
  };
  const format = {type: 'json_schema', json_schema: {name: 'place', schema}};
  const body = chat({...asking, response_format: format});
  const {body: whole} = await server.postJson('/v1/chat/completions', body);
  const [choice] = whole.choices;
  t.is(choice.finish_reason, 'stop');
  t.true(new Ajv().compile(schema)(JSON.parse(choice.message.content)));
  const {chunks} = await readStream(
    await server.post('/v1/chat/completions', {...body, stream: true}),
  );
  t.is(
    chunks.map(chunk => chunk.choices[0]?.delta?.content ?? '').join(''),
    choice.message.content,
  );
  const {body: cut} = await server.postJson('/v1/chat/completions', {...body, max_tokens: 2});
  t.is(cut.choices[0].message.content, choice.message.content.slice(0, 8));
  t.is(cut.choices[0].finish_reason, 'length');
  const {body: answer} = await server.postJson('/v1/responses', {
    model: 'simulated-chat',
    input: 'Where?',
    text: {format: {type: 'json_schema', name: 'place', schema}},
  });
  t.true(new Ajv().compile(schema)(JSON.parse(answer.output[0].content[0].text)));
});
