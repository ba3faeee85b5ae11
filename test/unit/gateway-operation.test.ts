import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {SluiceError} from '../../events/errors.ts';
import {
  type OperationName,
  promptBounds,
  readOperation,
} from '../../functions/gateway/admission/operation.ts';

const contextLength = 100_000;
const bytes = (text: string) => Buffer.byteLength(text);

import {forms} from '../../functions/gateway/surface/routes.ts';

const read = (name: OperationName, body: object | string) =>
  readOperation(name, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
const boundOf = (name: OperationName, body: object | string, tokensPerByteMax = 1) =>
  promptBounds(read(name, body), {contextLength, tokensPerByteMax}).promptTokens;

const chat = (messages: unknown, fields: object = {}) => ({model: 'm', messages, ...fields});
const user = (content: unknown) => [{role: 'user', content}];
const base = boundOf('chat.completions', chat(user('')));

test('a message counts its text in UTF-8 bytes, and at least 16 more', t => {
  t.true(base >= 16 + bytes('user') && base < 100);
  t.is(boundOf('chat.completions', chat(user('hello'))), base + 5);
  t.is(boundOf('chat.completions', chat(user('héllo €😀'))), base + bytes('héllo €😀'));
  t.is(boundOf('chat.completions', chat([...user('a'), ...user('b')])), 2 * (base + 1));
});

test('escapes in the body count as what they mean', t => {
  t.is(
    boundOf(
      'chat.completions',
      `{"model":"m","messages":[{"role":"user","content":"\\u20ac\\n"}]}`,
    ),
    base + 4,
  );
});

test('parts that are texts count as texts', t => {
  const parts = [
    {type: 'text', text: 'x'.repeat(50)},
    {type: 'text', text: 'y'.repeat(50)},
  ];
  const bound = boundOf('chat.completions', chat(user(parts)));
  t.true(bound >= base + 100 && bound < base + 200);
});

const takesContext = (t: ExecutionContext, name: OperationName, body: object) => {
  t.is(boundOf(name, body), contextLength);
};

for (const part of [
  {type: 'image_url', image_url: {url: 'https://x/y.png'}},
  {type: 'input_audio', input_audio: {data: 'AA==', format: 'wav'}},
  {type: 'video_url', video_url: {url: 'https://x'}},
  {type: 'something_new', x: 1},
  {image_url: {url: 'https://x/y.png'}},
  {image_url: 'https://x/y.png'},
  {audio_url: {url: 'https://x'}},
  {video_url: {url: 'https://x'}},
  {image_embeds: 'AA=='},
]) {
  test(
    `a part ${JSON.stringify(part)} takes the whole context`,
    takesContext,
    'chat.completions',
    chat(user([{type: 'text', text: 'what is it?'}, part])),
  );
}

for (const [name, value] of Object.entries({
  chat_template: '{{ "x" * 100000 }}',
  documents: [{text: 'd'}],
  prompt_embeds: 'AA==',
  mm_processor_kwargs: {a: 1},
})) {
  test(
    `${name} takes the whole context`,
    takesContext,
    'chat.completions',
    chat(user('a'), {[name]: value}),
  );
}

test('a template that is null is none', t => {
  t.is(boundOf('chat.completions', chat(user(''), {chat_template: null, documents: null})), base);
});

test('tools count 16 each and at least all their bytes', t => {
  const tool = {
    type: 'function',
    function: {name: 'look_up', description: 'd'.repeat(200), parameters: {type: 'object'}},
  };
  const bound = boundOf('chat.completions', chat(user(''), {tools: [tool, tool]}));
  t.true(bound >= base + 2 * (16 + bytes(JSON.stringify(tool))));
});

test('calls of tools in a message count', t => {
  const call = {id: 'c', type: 'function', function: {name: 'f', arguments: 'a'.repeat(300)}};
  const bound = boundOf(
    'chat.completions',
    chat([{role: 'assistant', content: null, tool_calls: [call]}]),
  );
  t.true(bound >= 300 && bound < 1_000);
});

test('a member that is not known counts, because a template may print it', t => {
  const value = 'v'.repeat(300);
  t.true(
    boundOf('chat.completions', chat(user(''), {chat_template_kwargs: {value}})) >= base + 300,
  );
  t.true(boundOf('chat.completions', chat(user(''), {'a-new-one': [value]})) >= base + 300);
});

test('members that only steer the answer do not count', t => {
  const steering = {
    temperature: 1,
    max_tokens: 5,
    stream: true,
    stream_options: {include_usage: true},
    user: 'u'.repeat(300),
    stop: ['s'.repeat(300)],
    metadata: {a: 'm'.repeat(300)},
    logit_bias: {'50256': -100},
  };
  t.is(boundOf('chat.completions', chat(user(''), steering)), base);
});

test('a number counts all the digits that a model server may keep of it', t => {
  const digits = '9'.repeat(200);
  const body = (number: string) =>
    `{"model":"m","messages":[{"role":"user","content":[${number}]}]}`;
  t.true(boundOf('chat.completions', body(digits)) >= 200);
  t.is(boundOf('chat.completions', body('9'.repeat(400))), contextLength);
});

test('the bound is never over the context', t => {
  t.is(boundOf('chat.completions', chat(user('x'.repeat(contextLength * 2)))), contextLength);
});

test('a tokenizer that makes more than a token of a byte makes the bound larger', t => {
  t.true(boundOf('chat.completions', chat(user('x'.repeat(1_000))), 2.5) >= 2_500);
  t.is(boundOf('chat.completions', chat(user('')), 0.1), base);
});

const hasBound = (t: ExecutionContext, name: OperationName, fields: object, bound: number) => {
  t.is(boundOf(name, {model: 'm', ...fields}), bound);
};

test('a prompt', hasBound, 'completions', {prompt: 'hé'}, 3 + 16);
test('a list of prompts', hasBound, 'completions', {prompt: ['a', 'bb', 'é']}, 5 + 3 * 16);
test('token ids', hasBound, 'completions', {prompt: [1, 2, 3]}, 3 + 16);
test('lists of token ids', hasBound, 'completions', {prompt: [[1, 2], [3]]}, 3 + 2 * 16);
test('token ids and texts', hasBound, 'completions', {prompt: [[1, 2], 'abc']}, 5 + 2 * 16);
test('an empty prompt', hasBound, 'completions', {prompt: ''}, 16);
test('embedded prompts', hasBound, 'completions', {prompt_embeds: 'AA=='}, contextLength);
test('an input', hasBound, 'embeddings', {input: 'hé'}, 3 + 16);
test('a list of inputs', hasBound, 'embeddings', {input: ['a', 'b']}, 2 + 2 * 16);
test('a suffix', hasBound, 'completions', {prompt: '', suffix: 'abc'}, 16 + 2 * 5);
test(
  'each of several prompts has a context of its own',
  hasBound,
  'completions',
  {prompt: Array(3).fill('x'.repeat(200_000))},
  3 * contextLength,
);

test('token ids are tokens already, a text beside them is not', t => {
  t.is(boundOf('completions', {model: 'm', prompt: [1, 2, 3]}, 4), 19);
  t.true(boundOf('completions', {model: 'm', prompt: [[1], 'x'.repeat(100)]}, 4) >= 400);
});

test('what a lost result is priced by are the bytes of the prompt, four a token id', t => {
  const bytesOf = (body: object) =>
    promptBounds(read('completions', {model: 'm', ...body}), {contextLength, tokensPerByteMax: 1})
      .promptBytes;
  t.is(bytesOf({prompt: 'x'.repeat(400)}), 416);
  t.is(bytesOf({prompt: Array(100).fill(1)}), 4 * 116);
  t.is(bytesOf({prompt_embeds: 'AA=='}), contextLength * 4);
});

const hasCopies = (t: ExecutionContext, name: OperationName, fields: object, copies: number) => {
  const body =
    name === 'chat.completions' ? chat(user('a')) : {model: 'm', prompt: 'a', input: 'a'};
  t.is(read(name, {...body, ...fields}).copies, copies);
};

test('one answer', hasCopies, 'chat.completions', {}, 1);
test('n answers', hasCopies, 'chat.completions', {n: 3}, 3);
test('n that is null', hasCopies, 'chat.completions', {n: null}, 1);
test('best of more than n', hasCopies, 'completions', {n: 2, best_of: 5}, 5);
test('n of more than best_of', hasCopies, 'completions', {n: 5, best_of: 2}, 5);
test('answers to each prompt', hasCopies, 'completions', {n: 2, prompt: ['a', 'b', 'c']}, 6);
test('embeddings answer nothing', hasCopies, 'embeddings', {n: 5}, 0);

const hasMaximum = (
  t: ExecutionContext,
  fields: object | string,
  maxTokens: number | undefined,
) => {
  const body =
    typeof fields === 'string'
      ? `{"model":"m","messages":[{"role":"user","content":"a"}],${fields}}`
      : chat(user('a'), fields);
  t.is(read('chat.completions', body).maxTokens, maxTokens);
};

test('no maximum', hasMaximum, {}, undefined);
test('max_tokens', hasMaximum, {max_tokens: 5}, 5);
test('max_completion_tokens', hasMaximum, {max_completion_tokens: 7}, 7);
test(
  'the larger of both: servers differ in which one they take',
  hasMaximum,
  {max_tokens: 9, max_completion_tokens: 7},
  9,
);
test('null is none', hasMaximum, {max_tokens: null, max_completion_tokens: null}, undefined);
test('null beside a number', hasMaximum, {max_tokens: null, max_completion_tokens: 3}, 3);
test('an escaped key', hasMaximum, '"max\\u005ftokens":11', 11);
test('a repeated key: the last counts', hasMaximum, '"max_tokens":1,"max_tokens":12', 12);
test('a repeated key, once escaped', hasMaximum, '"max_tokens":1,"max\\u005ftokens":13', 13);
test('a repeated key, last null', hasMaximum, '"max_tokens":1,"max_tokens":null', undefined);
test('an exponent', hasMaximum, '"max_tokens":1e3', 1_000);

test('an escaped key of an unbounded member takes the whole context', t => {
  const body = `{"model":"m","messages":[{"role":"user","content":"a"}],"chat\\u005ftemplate":"x"}`;
  t.is(boundOf('chat.completions', body), contextLength);
});

test('of repeated messages the last count, as they do for the model server', t => {
  const long = JSON.stringify(user('x'.repeat(500)));
  const short = JSON.stringify(user(''));
  t.is(boundOf('chat.completions', `{"model":"m","messages":${long},"messages":${short}}`), base);
  t.is(
    boundOf('chat.completions', `{"model":"m","messages":${short},"messages":${long}}`),
    base + 500,
  );
});

test('stream and its options', t => {
  t.false(read('chat.completions', chat(user('a'))).stream);
  t.false(read('chat.completions', chat(user('a'), {stream: null})).stream);
  t.true(read('chat.completions', chat(user('a'), {stream: true})).stream);
  t.false(read('embeddings', {model: 'm', input: 'a', stream: true}).stream);
  const {streamOptions} = read('chat.completions', chat(user('a'), {stream_options: {x: 1}}));
  t.deepEqual(streamOptions, {x: 1});
});

const refuses = (
  t: ExecutionContext,
  name: OperationName,
  body: object | string | Buffer,
  parameter: string | undefined,
) => {
  const given = Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
  const error = t.throws(() => readOperation(name, Buffer.from(given as string)), {
    instanceOf: SluiceError,
  });
  t.is(error?.status, 400);
  t.is(error?.parameter, parameter);
};

test('no body', refuses, 'chat.completions', '', undefined);
test('half a body', refuses, 'chat.completions', '{"model":"m","messages":[', undefined);
test('a list', refuses, 'chat.completions', '[]', undefined);
test('null', refuses, 'chat.completions', 'null', undefined);
test('no UTF-8', refuses, 'chat.completions', Buffer.from([0x7b, 0xff, 0x7d]), undefined);
test('no model', refuses, 'chat.completions', {messages: user('a')}, 'model');
test('an empty model', refuses, 'chat.completions', {model: '', messages: user('a')}, 'model');
test(
  'a model of 201 characters',
  refuses,
  'chat.completions',
  {model: 'm'.repeat(201), messages: user('a')},
  'model',
);
test('no messages', refuses, 'chat.completions', {model: 'm'}, 'messages');
test('an empty list of messages', refuses, 'chat.completions', chat([]), 'messages');
test('messages that are a text', refuses, 'chat.completions', chat('a'), 'messages');
test('a message that is null', refuses, 'chat.completions', chat([null]), 'messages');
test('a message that is a list', refuses, 'chat.completions', chat([[]]), 'messages');
test('a message without a role', refuses, 'chat.completions', chat([{content: 'a'}]), 'messages');
test(
  'messages nested without end',
  refuses,
  'chat.completions',
  `{"model":"m","messages":[{"role":"user","content":${'['.repeat(200_000)}${']'.repeat(200_000)}}]}`,
  'messages',
);
test(
  'a stream that is a text',
  refuses,
  'chat.completions',
  chat(user('a'), {stream: 'true'}),
  'stream',
);
test(
  'stream_options that are a list',
  refuses,
  'chat.completions',
  chat(user('a'), {stream_options: []}),
  'stream_options',
);
test(
  'max_tokens of 0',
  refuses,
  'chat.completions',
  chat(user('a'), {max_tokens: 0}),
  'max_tokens',
);
test(
  'max_tokens under 0',
  refuses,
  'chat.completions',
  chat(user('a'), {max_tokens: -1}),
  'max_tokens',
);
test(
  'max_tokens that is a fraction',
  refuses,
  'chat.completions',
  chat(user('a'), {max_tokens: 1.5}),
  'max_tokens',
);
test(
  'max_tokens that is a text',
  refuses,
  'chat.completions',
  chat(user('a'), {max_tokens: '5'}),
  'max_tokens',
);
test(
  'max_tokens that is no safe number',
  refuses,
  'chat.completions',
  `{"model":"m","messages":[{"role":"user"}],"max_tokens":1e300}`,
  'max_tokens',
);
test(
  'max_completion_tokens that is a list',
  refuses,
  'chat.completions',
  chat(user('a'), {max_completion_tokens: [5]}),
  'max_completion_tokens',
);
test('n of 0', refuses, 'chat.completions', chat(user('a'), {n: 0}), 'n');
test('n of 129', refuses, 'chat.completions', chat(user('a'), {n: 129}), 'n');
test(
  'best_of that is true',
  refuses,
  'completions',
  {model: 'm', prompt: 'a', best_of: true},
  'best_of',
);
test('no prompt', refuses, 'completions', {model: 'm'}, 'prompt');
test('an empty list of prompts', refuses, 'completions', {model: 'm', prompt: []}, 'prompt');
test('a prompt that is an object', refuses, 'completions', {model: 'm', prompt: {}}, 'prompt');
test('an empty list of token ids', refuses, 'completions', {model: 'm', prompt: [[]]}, 'prompt');
test(
  'a token id that is a fraction',
  refuses,
  'completions',
  {model: 'm', prompt: [1, 1.5]},
  'prompt',
);
test('a token id that is a text', refuses, 'completions', {model: 'm', prompt: [1, 'x']}, 'prompt');
test(
  '2049 prompts',
  refuses,
  'completions',
  {model: 'm', prompt: Array(2_049).fill('a')},
  'prompt',
);
test('no input', refuses, 'embeddings', {model: 'm'}, 'input');

test('a refusal quotes nothing of a prompt', t => {
  const error = t.throws(() =>
    read('chat.completions', '{"model":"m","messages":[{"content":"my-prompt'),
  );
  t.notRegex(error?.message ?? '', /my|prompt/);
});

test('no text of the messages can hide from the bound', t => {
  const text = fc.string({unit: 'binary', maxLength: 30});
  const anything = fc.letrec(tie => ({
    value: fc.oneof(
      {maxDepth: 5},
      text,
      fc.jsonValue(),
      fc.array(tie('value'), {maxLength: 4}),
      fc.dictionary(
        fc.oneof(text, fc.constantFrom('type', 'text', 'content', '__proto__')),
        tie('value'),
        {
          maxKeys: 4,
        },
      ),
    ),
  })).value;
  const message = fc
    .tuple(fc.dictionary(text, anything, {maxKeys: 3}), anything, text)
    .map(([more, content, role]) => ({...more, role, content}));
  const bytesOfTexts = (value: unknown): number => {
    if (typeof value === 'string') {
      return bytes(value);
    }
    return typeof value === 'object' && value !== null
      ? Object.values(value).reduce<number>((sum, item) => sum + bytesOfTexts(item), 0)
      : 0;
  };
  fc.assert(
    fc.property(fc.array(message, {minLength: 1, maxLength: 5}), messages => {
      const body = JSON.stringify(chat(messages));
      const sent = (JSON.parse(body) as {messages: unknown}).messages;
      t.true(boundOf('chat.completions', body) >= Math.min(bytesOfTexts(sent), contextLength));
    }),
    {numRuns: 1_000},
  );
});

test('whatever bytes come, the answer is an operation or a refusal', t => {
  const body = fc.oneof(
    fc.uint8Array().map(array => Buffer.from(array)),
    fc
      .dictionary(
        fc.constantFrom(
          'model',
          'messages',
          'prompt',
          'input',
          'n',
          'max_tokens',
          'stream',
          'tools',
          'stream_options',
          'system',
          'instructions',
          'max_output_tokens',
          'store',
        ),
        fc.jsonValue(),
      )
      .map(fields =>
        Buffer.from(
          JSON.stringify({...chat(user('a')), prompt: 'a', input: 'a', max_tokens: 5, ...fields}),
        ),
      ),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...(Object.keys(forms) as OperationName[])),
      body,
      (name, given) => {
        try {
          const operation = readOperation(name, given);
          const {promptTokens} = promptBounds(operation, {contextLength, tokensPerByteMax: 1});
          t.true(Number.isSafeInteger(promptTokens) && promptTokens > 0);
        } catch (error) {
          t.true(error instanceof SluiceError && error.status === 400, String(error));
        }
      },
    ),
    {numRuns: 1_000},
  );
});
