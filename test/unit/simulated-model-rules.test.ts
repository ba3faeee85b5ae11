import test from 'ava';
import fc from 'fast-check';
import {defaultDimensions, embed} from '../../knative/local/simulated-model/embeddings.ts';
import {plan} from '../../knative/local/simulated-model/plan.ts';
import {readMessages, readPrompts} from '../../knative/local/simulated-model/prompt.ts';
import {completionText, countTokens, tokenIds} from '../../knative/local/simulated-model/tokens.ts';

const model = {name: 'm', maxModelLength: 1_000};
const settings = {defaultTokens: 32, usage: 'every-chunk'} as const;
const planned = (body: object) => plan({...body}, [readMessages(chat)], model, settings);
const chat = {messages: [{role: 'user', content: 'Hi'}]};

test('a text never has more tokens than bytes, and as many ids as tokens', t => {
  fc.assert(
    fc.property(fc.string({unit: 'binary'}), text => {
      const tokens = countTokens(text);
      return tokens <= Buffer.byteLength(text) && tokenIds(text).length === tokens;
    }),
  );
  t.pass();
});

test('generated text counts as many tokens as were generated and needs no escaping', t => {
  fc.assert(
    fc.property(fc.nat(2 ** 32 - 1), fc.nat(300), (seed, tokens) => {
      const text = completionText(seed, tokens);
      return countTokens(text) === tokens && JSON.stringify(text) === `"${text}"`;
    }),
  );
  t.pass();
});

test('a prompt stays within its bytes and 16 tokens a message', t => {
  const text = fc.string({unit: 'binary'});
  const message = fc.record({role: fc.constant('user'), content: text});
  fc.assert(
    fc.property(fc.array(message, {minLength: 1}), messages => {
      const bytes = messages.reduce((sum, {content}) => sum + Buffer.byteLength(content), 0);
      const prompt = readMessages({messages});
      return prompt.tokens <= bytes + 16 * messages.length && prompt.ids().length === prompt.tokens;
    }),
  );
  t.pass();
});

test('parts of text count as their text, and a picture as 256 tokens', t => {
  const of = (content: unknown) => readMessages({messages: [{role: 'user', content}]}).tokens;
  const nothing = of('');
  t.is(of([{type: 'text', text: 'four'}]), nothing + 1);
  t.is(of([{type: 'image_url', image_url: {url: 'data:,'}}]), nothing + 256);
});

test('tools and documents are part of the prompt', t => {
  const alone = readMessages(chat).tokens;
  t.true(readMessages({...chat, tools: [{type: 'function'}]}).tokens > alone);
  t.true(readMessages({...chat, documents: [{text: 'long'}]}).tokens > alone);
});

test('a prompt is a text, texts, ids or lists of ids', t => {
  const counts = (prompt: unknown) => readPrompts({prompt}, 'prompt').map(({tokens}) => tokens);
  t.deepEqual(counts('12345'), [2]);
  t.deepEqual(counts(['1234', '']), [1, 0]);
  t.deepEqual(counts([7, 8, 9]), [3]);
  t.deepEqual(counts([[7], [8, 9]]), [1, 2]);
});

test('a sequence stops by itself, or is cut by max_tokens or the context', t => {
  const outcome = (body: object) => {
    const [sequence] = planned(body).sequences;
    return [sequence?.tokens, sequence?.finish];
  };
  t.deepEqual(outcome({}), [32, 'stop']);
  t.deepEqual(outcome({max_tokens: 33}), [32, 'stop']);
  t.deepEqual(outcome({max_tokens: 32}), [32, 'length']);
  t.deepEqual(outcome({max_tokens: 5}), [5, 'length']);
  t.deepEqual(outcome({min_tokens: 40}), [40, 'stop']);
  t.deepEqual(outcome({max_tokens: 50, ignore_eos: true}), [50, 'length']);
  t.deepEqual(outcome({ignore_eos: true}), [1_000 - 8, 'length']);
  t.deepEqual(outcome({max_tokens: 900, max_completion_tokens: 4}), [4, 'length']);
});

test('a stop string ends a sequence before it and counts the token that holds it', t => {
  const [free] = planned({}).sequences;
  const text = completionText(free?.seed ?? 0, 32);
  const stop = text.slice(8, 11);
  const [cut] = planned({stop: ['no such words', stop]}).sequences;
  t.is(cut?.text, text.slice(0, text.indexOf(stop)));
  t.is(cut?.finish, 'stop');
  t.is(cut?.tokens, Math.ceil((text.indexOf(stop) + 3) / 4));
});

test('choices of one prompt say different things', t => {
  const {sequences} = planned({n: 2});
  t.not(completionText(sequences[0]?.seed ?? 0, 8), completionText(sequences[1]?.seed ?? 0, 8));
});

test('a vector has length 1 and depends on its input alone', t => {
  for (const input of ['', 'the sea', [1, 2, 3]]) {
    const vector = embed(input, defaultDimensions);
    t.true(Math.abs(Math.hypot(...vector) - 1) < 1e-3);
    t.deepEqual(embed(input, defaultDimensions), vector);
  }
  t.is(embed('the sea', 7).length, 7);
});
