import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {SluiceError} from '../../events/errors.ts';
import {promptBounds, readOperation} from '../../functions/gateway/admission/operation.ts';

type Name = 'responses' | 'messages';
const contextLength = 100_000;
const read = (name: Name, body: object | string) =>
  readOperation(name, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
const boundOf = (name: Name, body: object | string) =>
  promptBounds(read(name, body), {contextLength, tokensPerByteMax: 1}).promptTokens;
const bytes = (text: string) => Buffer.byteLength(text);

const responses = (input: unknown, more: object = {}) => ({model: 'm', input, ...more});
const messages = (content: unknown, more: object = {}) => ({
  model: 'm',
  max_tokens: 10,
  messages: [{role: 'user', content}],
  ...more,
});
const emptyMessage = boundOf('messages', messages(''));

test('Responses: an input that is a text is bounded by its bytes', t => {
  t.is(boundOf('responses', responses('héllo €😀')), 16 + bytes('héllo €😀'));
});

test('Responses: instructions are part of the prompt', t => {
  t.is(boundOf('responses', responses('a', {instructions: 'bcd'})), 16 + 1 + 16 + 3);
  t.is(boundOf('responses', responses('a', {instructions: null})), 16 + 1);
});

test('Responses: every item counts, whatever text it has', t => {
  const items = [
    {role: 'user', content: 'x'.repeat(100)},
    {type: 'message', role: 'user', content: [{type: 'input_text', text: 'x'.repeat(100)}]},
    {type: 'reasoning', summary: [{type: 'summary_text', text: 'x'.repeat(100)}]},
    {type: 'function_call', call_id: 'c', name: 'f', arguments: 'x'.repeat(100)},
    {type: 'function_call_output', call_id: 'c', output: 'x'.repeat(100)},
  ];
  const bound = boundOf('responses', responses(items));
  t.true(bound >= 5 * 116 && bound < 5 * 116 + 500, String(bound));
});

test('Responses: tools count 16 and twice their bytes', t => {
  const tool = {type: 'function', name: 'f', parameters: {type: 'object'}};
  const tools = [tool, tool];
  const bound = boundOf('responses', responses('a', {tools}));
  t.is(bound, 17 + 2 * 16 + 2 * bytes(JSON.stringify(tools)));
});

test('Responses: a maximum is max_output_tokens and nothing else', t => {
  t.is(read('responses', responses('a', {max_output_tokens: 7})).maxTokens, 7);
  t.is(read('responses', responses('a', {max_tokens: 7})).maxTokens, undefined);
  const {copies, stream, fixed} = read('responses', responses('a', {n: 5, stream: true}));
  t.deepEqual([copies, stream, fixed], [1, true, {store: 'false'}]);
});

test('Messages: system, messages and tools are the prompt', t => {
  t.is(boundOf('messages', messages('héllo')), emptyMessage + bytes('héllo'));
  t.is(boundOf('messages', messages('', {system: 'abc'})), emptyMessage + 16 + 3);
  const tools = [{name: 'f', input_schema: {type: 'object'}}];
  const withTools = boundOf('messages', messages('', {tools}));
  t.is(withTools, emptyMessage + 16 + 2 * bytes(JSON.stringify(tools)));
});

test('Messages: blocks of text, thinking, tools and what they answered are texts', t => {
  const text = 'x'.repeat(100);
  const blocks = [
    {type: 'text', text, cache_control: {type: 'ephemeral'}},
    {type: 'thinking', thinking: text, signature: 's'},
    {type: 'tool_use', id: 'c', name: 'f', input: {type: 'circle', image_url: text}},
    {type: 'tool_result', tool_use_id: 'c', content: [{type: 'text', text}]},
  ];
  const bound = boundOf('messages', messages(blocks));
  t.true(bound >= 400 && bound < 1_100, String(bound));
});

test('Messages: what a tool was called with counts as if all of it were escaped', t => {
  const ofInput = (input: unknown) => boundOf('messages', messages([{type: 'tool_use', input}]));
  const base = ofInput({});
  // A model server writes it again as JSON in ASCII.
  for (const text of ['é', '€', '😀', '\u0001', '\u007f', '"', '\\', '\n']) {
    const escaped = [...JSON.stringify(text).slice(1, -1)]
      .map(each => (each < '\u007f' ? each : each.length === 2 ? '\\ud83d\\ude00' : '\\u0000'))
      .join('');
    t.true(ofInput({k: text.repeat(50)}) - base >= 50 * escaped.length, JSON.stringify(text));
    t.true(ofInput({[text.repeat(50)]: 1}) - base >= 50 * escaped.length, JSON.stringify(text));
  }
  const huge = JSON.stringify(messages([{type: 'tool_use', input: 0}]));
  t.is(boundOf('messages', huge.replace('"input":0', '"input":{"k":1e999}')), contextLength);
});

const takesContext = test.macro((t: ExecutionContext, name: Name, body: object) => {
  t.is(boundOf(name, body), contextLength);
});
const image = {type: 'input_image', image_url: 'data:,'};
const picture = {type: 'image', source: {type: 'base64', data: ''}};
const result = {type: 'tool_result', tool_use_id: 'c', content: [picture]};
const output = {type: 'function_call_output', call_id: 'c', output: [image]};
const said = (content: unknown) => responses([{role: 'user', content}]);
test('an image in the input takes the context', takesContext, 'responses', said([image]));
test('a file in the input takes it', takesContext, 'responses', said([{type: 'input_file'}]));
test('an image out of a function takes it', takesContext, 'responses', responses([output]));
test('an unknown item takes it', takesContext, 'responses', responses([{type: 'computer_call'}]));
test('an image in a message takes it', takesContext, 'messages', messages([picture]));
test('an image out of a tool takes it', takesContext, 'messages', messages([result]));
test('a document takes it', takesContext, 'messages', messages([{type: 'document'}]));
test('a template takes it', takesContext, 'messages', messages('a', {chat_template: 'x'}));
test('an image in system takes it', takesContext, 'messages', messages('a', {system: [picture]}));

const refuses = test.macro(
  (t: ExecutionContext, name: Name, body: object | string, parameter: string) => {
    const error = t.throws(() => read(name, body), {instanceOf: SluiceError});
    t.is(error.status, 400);
    t.is(error.parameter, parameter);
  },
);
const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
const deepItem = `{"model":"m","input":[{"role":"user","content":${deep}}]}`;
const deepCall = `{"model":"m","max_tokens":1,"messages":[{"role":"user","content":[{"type":"tool_use","input":${deep}}]}]}`;
test('no input', refuses, 'responses', {model: 'm'}, 'input');
test('an empty input', refuses, 'responses', responses([]), 'input');
test('an input that is a number', refuses, 'responses', responses(5), 'input');
test('an item that is null', refuses, 'responses', responses([null]), 'input');
test('an item that is a text', refuses, 'responses', responses(['a']), 'input');
test('an item without type and role', refuses, 'responses', responses([{text: 'a'}]), 'input');
test('a reference', refuses, 'responses', responses([{type: 'item_reference', id: 'x'}]), 'input');
test('an input without a bottom', refuses, 'responses', deepItem, 'input');
test('instructions in a list', refuses, 'responses', responses('a', {instructions: []}), 'instructions'); // biome-ignore format: one line each
for (const name of ['previous_response_id', 'conversation', 'prompt', 'previous_response']) {
  test(`${name} of an answer of before`, refuses, 'responses', responses('a', {[name]: 'x'}), name);
}
test('store', refuses, 'responses', responses('a', {store: true}), 'store');
test('store that is a text', refuses, 'responses', responses('a', {store: 'no'}), 'store');
test('background', refuses, 'responses', responses('a', {background: true}), 'background');
for (const type of ['web_search', 'file_search', 'code_interpreter', 'mcp', undefined, 5]) {
  const body = responses('a', {tools: [{type: 'function', name: 'f'}, {type}]});
  test(`a tool of type ${type}`, refuses, 'responses', body, 'tools');
}
test('tools that are an object', refuses, 'responses', responses('a', {tools: {}}), 'tools');
test('tools that are texts', refuses, 'responses', responses('a', {tools: ['a']}), 'tools');
test('max_output_tokens of 0', refuses, 'responses', responses('a', {max_output_tokens: 0}), 'max_output_tokens'); // biome-ignore format: one line each
test('no maximum', refuses, 'messages', messages('a', {max_tokens: undefined}), 'max_tokens');
test(
  'a maximum that is null',
  refuses,
  'messages',
  messages('a', {max_tokens: null}),
  'max_tokens',
);
test('a maximum of 1.5', refuses, 'messages', messages('a', {max_tokens: 1.5}), 'max_tokens');
test('no messages', refuses, 'messages', messages('a', {messages: []}), 'messages');
test('a message without a role', refuses, 'messages', messages('a', {messages: [{}]}), 'messages');
test('a call without a bottom', refuses, 'messages', deepCall, 'messages');
test('system that is a number', refuses, 'messages', messages('a', {system: 5}), 'system');
test('servers of tools', refuses, 'messages', messages('a', {mcp_servers: []}), 'mcp_servers');
test('a container', refuses, 'messages', messages('a', {container: 'x'}), 'container');
test('a search at the server', refuses, 'messages', messages('a', {tools: [{type: 'web_search_20250305', name: 'w'}]}), 'tools'); // biome-ignore format: one line each

test('of repeated members the last counts, as for who parses it next', t => {
  const bound = boundOf(
    'responses',
    '{"model":"m","input":"aaaa","store":true,"input":"b","store":false}',
  );
  t.is(bound, 17);
  t.throws(() => read('responses', '{"model":"m","input":"a","store":false,"store":true}'));
});

test('no text of the input can hide from the bound', t => {
  const text = fc.string({unit: 'binary'});
  const item = fc.dictionary(text, fc.jsonValue(), {maxKeys: 3});
  const bytesOfTexts = (value: unknown): number => {
    if (typeof value === 'string') {
      return bytes(value);
    }
    return typeof value === 'object' && value !== null
      ? Object.values(value).reduce<number>((sum, each) => sum + bytesOfTexts(each), 0)
      : 0;
  };
  const property = fc.property(fc.array(item, {minLength: 1, maxLength: 4}), items => {
    const sent = items.map(each => ({...each, role: 'user'}));
    const least = Math.min(bytesOfTexts(sent), contextLength);
    t.true(boundOf('responses', responses(sent)) >= least);
    t.true(boundOf('messages', {model: 'm', max_tokens: 1, messages: sent}) >= least);
  });
  fc.assert(property, {numRuns: 500});
});
