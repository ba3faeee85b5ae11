import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {SluiceError} from '../../events/errors.ts';
import {holdOf} from '../../functions/budget/cost.ts';
import {admit, bodyChanges} from '../../functions/gateway/admission/admission.ts';
import {ceilingOf} from '../../functions/gateway/admission/ceiling.ts';
import {type OperationName, readOperation} from '../../functions/gateway/admission/operation.ts';
import type {EndpointEntry, ModelEntry} from '../../functions/registry/catalogue.ts';

const endpoint: EndpointEntry = {
  id: 'e',
  url: 'http://m',
  upstreamModel: 'm',
  usage: 'every-chunk',
  tokenize: true,
  health: 'healthy',
};
const model: ModelEntry = {
  id: 'i',
  name: 'm',
  environment: 'production',
  status: 'ready',
  contextLength: 8_192,
  defaultMaxTokens: 256,
  tokensPerByteMax: 1,
  priceVersion: 1,
  price: {
    free: false,
    inputPerMillion: 200_000_000,
    outputPerMillion: 600_000_000,
    inputGpuMsPerMillion: 0,
    outputGpuMsPerMillion: 0,
  },
  endpoints: [endpoint],
};
const budgets = [{id: 'b', unit: 'usd'}] as const;

const read = (name: OperationName, fields: object | string) =>
  readOperation(
    name,
    Buffer.from(typeof fields === 'string' ? fields : JSON.stringify({model: 'm', ...fields})),
  );
const chat = (fields: object = {}) =>
  read('chat.completions', {messages: [{role: 'user', content: 'hi'}], ...fields});
const completion = (fields: object = {}) => read('completions', {prompt: 'hi', ...fields});
const embedding = (fields: object = {}) => read('embeddings', {input: 'hi', ...fields});

const demands = (
  t: ExecutionContext,
  operation: ReturnType<typeof read>,
  expected: {maxTokens: number; copies?: number; minTokens?: number; wantsCount?: boolean},
  entry: Partial<ModelEntry> = {},
) => {
  const {demand, wantsCount} = admit(operation, {...model, ...entry}, budgets);
  t.deepEqual(
    {
      maxTokens: demand.maxTokens,
      copies: demand.copies,
      minTokens: demand.minTokens,
      wantsCount,
    },
    {copies: 1, minTokens: 1, wantsCount: false, ...expected},
  );
};

test('what the client names is held', demands, chat({max_tokens: 5}), {maxTokens: 5});
test('the larger of two maxima is held', demands, chat({max_tokens: 5, max_completion_tokens: 9}), {
  maxTokens: 9,
});
test('without a maximum the default of the model is held', demands, chat(), {maxTokens: 256});
test('null is no maximum', demands, chat({max_tokens: null}), {maxTokens: 256});
test('a completion without a maximum has 16', demands, completion(), {maxTokens: 16});
test('a completion with a maximum has that', demands, completion({max_tokens: 99}), {
  maxTokens: 99,
});
test('the smallest ceiling counts, and none is none', t => {
  t.is(ceilingOf({}, {}), undefined);
  t.is(ceilingOf({maxOutputTokens: 5}, {}), 5);
  t.is(ceilingOf({}, {maxOutputTokens: 5}), 5);
  t.is(ceilingOf({maxOutputTokens: 7}, {maxOutputTokens: 5}), 5);
});

test('under a ceiling what is named above it is refused by its name, and a default is lowered', t => {
  const ask = (operation: ReturnType<typeof read>) =>
    admit(operation, model, budgets, {ceiling: 10}).demand.maxTokens;
  t.is(ask(chat({max_tokens: 10})), 10);
  t.is(ask(chat()), 10);
  t.is(ask(completion()), 10);
  t.is(ask(embedding()), 0);
  for (const [fields, parameter] of [
    [{max_tokens: 11}, 'max_tokens'],
    [{max_completion_tokens: 11}, 'max_completion_tokens'],
    [{min_tokens: 11}, 'min_tokens'],
  ] as const) {
    const error = t.throws(() => ask(chat(fields)), {instanceOf: SluiceError});
    t.is(error?.code, 'max_tokens_too_large');
    t.is(error?.parameter, parameter);
  }
});

test('a maximum over the context is held as the context', demands, chat({max_tokens: 1_000_000}), {
  maxTokens: 8_192,
});
test('answers are held n times', demands, chat({n: 3, max_tokens: 5}), {maxTokens: 5, copies: 3});
test(
  'the best of answers are held all',
  demands,
  completion({n: 1, best_of: 4, prompt: ['a', 'b']}),
  {maxTokens: 16, copies: 8},
);
test('embeddings hold no answer', demands, embedding(), {maxTokens: 0, copies: 0, minTokens: 0});
test('a minimum over the default is the default', demands, chat({min_tokens: 300}), {
  maxTokens: 300,
  minTokens: 300,
});
test('the minimum bounds what may be clamped', demands, chat({min_tokens: 7, max_tokens: 9}), {
  maxTokens: 9,
  minTokens: 7,
});
test(
  'where the prompt may fill the context its tokens are to be counted',
  demands,
  chat({chat_template: 'x'}),
  {maxTokens: 1, wantsCount: true},
);
test(
  'where the client named a maximum they need not be',
  demands,
  chat({chat_template: 'x', max_tokens: 5}),
  {maxTokens: 5},
);
test(
  'a default is cut to the room that is left',
  demands,
  chat({messages: [{role: 'user', content: 'x'.repeat(8_000)}]}),
  {maxTokens: 127, wantsCount: true},
);

test('a count leaves the room that it leaves', t => {
  const long = chat({messages: [{role: 'user', content: 'x'.repeat(9_000)}]});
  const {demand, wantsCount, bounds} = admit(long, model, budgets, {countedTokens: 10});
  t.is(demand.promptTokens, 10);
  t.is(demand.maxTokens, 256);
  t.false(wantsCount);
  t.is(bounds.promptTokens, 8_192);
});

for (const [what, fields] of [
  ['a template', {chat_template: 'x'}],
  ['documents', {documents: [{text: 'x'}]}],
  [
    'media',
    {messages: [{role: 'user', content: [{type: 'image_url', image_url: {url: 'data:'}}]}]},
  ],
] as const) {
  test(`the whole context is held for ${what}, which no count has in it`, t => {
    const {demand} = admit(chat(fields), model, budgets, {countedTokens: 10});
    t.is(demand.promptTokens, 8_192);
    t.is(demand.maxTokens, 256);
  });
}

test('a count over the context is the context', t => {
  const {demand} = admit(chat({chat_template: 'x'}), model, budgets, {countedTokens: 1_000_000});
  t.is(demand.promptTokens, 8_192);
  t.is(demand.maxTokens, 1);
});

test('only budgets that the request can cost something are touched', t => {
  const all = [
    {id: 'usd', unit: 'usd'},
    {id: 'tokens', unit: 'tokens'},
    {id: 'gpu', unit: 'gpu_ms'},
  ] as const;
  const touched = (price: Partial<ModelEntry['price']>) =>
    admit(chat(), {...model, price: {...model.price, ...price}}, all).demand.budgets.map(
      ({id}) => id,
    );
  t.deepEqual(touched({}), ['usd', 'tokens']);
  t.deepEqual(touched({outputGpuMsPerMillion: 5}), ['usd', 'tokens', 'gpu']);
  t.deepEqual(touched({free: true, inputPerMillion: 0, outputPerMillion: 0}), ['tokens']);
});

test('without a budget nothing is counted upstream', t => {
  t.false(admit(chat({chat_template: 'x'}), model, []).wantsCount);
});

test('a request that could cost over $1,000,000 is refused', t => {
  const price = {...model.price, outputPerMillion: 1_000_000_000_000_000};
  const dear = chat({n: 128, max_tokens: 8_192});
  const error = t.throws(() => admit(dear, {...model, price}, budgets), {instanceOf: SluiceError});
  t.is(error?.code, 'unbounded_request');
  t.is(error?.status, 400);
  t.notThrows(() => admit(chat({max_tokens: 1}), {...model, price}, budgets));
});

test('the hold covers what the longest answers to the longest prompt cost', t => {
  fc.assert(
    fc.property(
      fc.string({unit: 'binary', maxLength: 200}),
      fc.integer({min: 1, max: 8}),
      fc.option(fc.integer({min: 1, max: 20_000}), {nil: null}),
      (content, n, maxTokens) => {
        const operation = chat({messages: [{role: 'user', content}], n, max_tokens: maxTokens});
        const {demand} = admit(operation, model, budgets);
        const hold = holdOf('usd', model.price, {
          inputTokens: demand.promptTokens,
          outputTokens: demand.copies * demand.maxTokens,
        });
        const output = n * Math.min(maxTokens ?? model.defaultMaxTokens, model.contextLength);
        const worst = BigInt(Buffer.byteLength(content)) * 200n + BigInt(output) * 600n;
        t.true(BigInt(hold) >= worst);
      },
    ),
  );
});

const changes = (
  t: ExecutionContext,
  operation: ReturnType<typeof read>,
  {
    usage = 'none',
    upstreamModel = 'm',
    maxTokens = 256,
    underBudget = true,
  }: {
    usage?: EndpointEntry['usage'];
    upstreamModel?: string;
    maxTokens?: number;
    underBudget?: boolean;
  },
  expected: Record<string, string>,
) => {
  t.deepEqual(
    bodyChanges({
      operation,
      model,
      endpoint: {...endpoint, usage, upstreamModel},
      maxTokens,
      underBudget,
    }),
    expected,
  );
};

test('a maximum that nobody named is named', changes, chat(), {}, {max_tokens: '256'});
test(
  'a maximum that is null is named, both where both are there',
  changes,
  chat({max_tokens: null, max_completion_tokens: null}),
  {},
  {max_tokens: '256', max_completion_tokens: '256'},
);
test('a maximum that stands is left alone', changes, chat({max_tokens: 256}), {}, {});
test(
  'a maximum over the context is left to the model server to refuse',
  changes,
  chat({max_tokens: 9_000}),
  {maxTokens: 8_192},
  {},
);
test(
  'a maximum that money does not cover is lowered where it stands',
  changes,
  chat({max_completion_tokens: 256}),
  {maxTokens: 9},
  {max_completion_tokens: '9'},
);
test(
  'two of them are both lowered',
  changes,
  chat({max_tokens: 5, max_completion_tokens: 256}),
  {maxTokens: 4},
  {max_tokens: '4', max_completion_tokens: '4'},
);
test(
  'an escaped one is lowered under its name',
  changes,
  read(
    'chat.completions',
    '{"model":"m","messages":[{"role":"user","content":"a"}],"max\\u005ftokens":99}',
  ),
  {maxTokens: 9},
  {max_tokens: '9'},
);
test('without a budget no maximum is named', changes, chat(), {underBudget: false}, {});
test('embeddings have no maximum', changes, embedding(), {maxTokens: 0}, {});
test(
  'the name that the server knows is put in',
  changes,
  chat({max_tokens: 5}),
  {upstreamModel: 'a"b', maxTokens: 5},
  {model: '"a\\"b"'},
);
test(
  'usage in every chunk is asked for where it works',
  changes,
  chat({max_tokens: 5, stream: true}),
  {usage: 'every-chunk', maxTokens: 5},
  {stream_options: '{"include_usage":true,"continuous_usage_stats":true}'},
);
test(
  'usage in the last chunk is asked for where that works',
  changes,
  chat({max_tokens: 5, stream: true}),
  {usage: 'last-chunk', maxTokens: 5},
  {stream_options: '{"include_usage":true}'},
);
test(
  'no usage is asked for where none comes',
  changes,
  chat({max_tokens: 5, stream: true}),
  {usage: 'none', maxTokens: 5},
  {},
);
test(
  'no usage is asked for where nothing is streamed',
  changes,
  chat({max_tokens: 5}),
  {usage: 'every-chunk', maxTokens: 5},
  {},
);
test(
  'what the client asked of its stream stays, but not that there be no usage',
  changes,
  chat({max_tokens: 5, stream: true, stream_options: {include_usage: false, other: [1]}}),
  {usage: 'last-chunk', maxTokens: 5},
  {stream_options: '{"include_usage":true,"other":[1]}'},
);
test(
  'usage is asked for without a budget too',
  changes,
  chat({stream: true}),
  {usage: 'last-chunk', underBudget: false},
  {stream_options: '{"include_usage":true}'},
);
