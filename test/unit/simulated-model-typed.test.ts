import test from 'ava';
import {eventsOf} from '../helpers/forms.ts';
import {startModel} from '../helpers/simulated-model.ts';

const model = 'simulated-chat';
const messages = [{role: 'user', content: 'Say something.'}];
const tool = {name: 'say', input_schema: {type: 'object'}};

test('a response says the same whole and streamed, and what the client sent comes back in it', async t => {
  const server = await startModel(t);
  const body = {model, input: 'Say something.', max_output_tokens: 5, metadata: {a: '1'}};
  const whole = await server.postJson('/v1/responses', body);
  const response = await server.post('/v1/responses', {...body, stream: true});
  t.is(response.headers.get('x-simulated-model'), 'true');
  const events = eventsOf(await response.text());
  t.deepEqual(
    [...new Set(events.map(({name}) => name))],
    [
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ],
  );
  t.deepEqual(
    events.map(({data}) => data.sequence_number),
    events.map((_, at) => at),
  );
  t.true(events.every(({name, data}) => data.type === name));
  const deltas = events.filter(({name}) => name === 'response.output_text.delta');
  t.is(deltas.length, 5);
  const text = deltas.map(({data}) => data.delta).join('');
  t.is(whole.body.output[0].content[0].text, text);
  const last = events.at(-1)?.data.response as typeof whole.body;
  // Each has an id and a second of its own.
  const own = {id: '', created_at: 0, output: []};
  t.deepEqual({...last, ...own}, {...whole.body, ...own});
  t.true(Number.isInteger(last.created_at) && last.created_at >= whole.body.created_at);
  t.like(last, {status: 'incomplete', metadata: {a: '1'}, store: true});
  t.is(last.output[0].content[0].text, text);
  t.like(last.usage, {input_tokens: 11, output_tokens: 5, total_tokens: 16});
});

test('a maximum over the room of a response is the room, as in vLLM', async t => {
  const server = await startModel(t, {models: [{name: model, maxModelLength: 31}]});
  const {body} = await server.postJson('/v1/responses', {
    model,
    input: 'Say something.',
    max_output_tokens: 5_000,
  });
  t.is(body.usage.output_tokens, 20);
});

test('a message says the same whole and streamed, its prompt first and its answer last', async t => {
  const server = await startModel(t, {cachedPromptShare: 0.5});
  const body = {model, messages, system: 'Be brief.', max_tokens: 5};
  const whole = await server.postJson('/v1/messages', body);
  const response = await server.post('/v1/messages', {...body, stream: true});
  const events = eventsOf(await response.text());
  t.deepEqual(
    [...new Set(events.map(({name}) => name))],
    [
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ],
  );
  t.true(events.every(({name, data}) => data.type === name));
  const deltas = events.filter(({name}) => name === 'content_block_delta');
  const text = deltas.map(({data}) => (data.delta as {text: string}).text).join('');
  t.is(deltas.length, 5);
  t.is(whole.body.content[0].text, text);
  // 11 of the message, 4 + 3 of system.
  const counts = {input_tokens: 9, cache_read_input_tokens: 9};
  t.deepEqual(whole.body.usage, {...counts, output_tokens: 5});
  const start = events[0]?.data.message as {usage: unknown};
  t.deepEqual(start.usage, {...counts, output_tokens: 0});
  t.like(events.at(-2)?.data, {
    usage: {...counts, output_tokens: 5},
    delta: {stop_reason: 'max_tokens'},
  });
});

test('a tool that must be called is called, its arguments a token a delta', async t => {
  const server = await startModel(t);
  const choices = [{type: 'any'}, {type: 'tool', name: 'say'}];
  for (const tool_choice of choices) {
    const body = {model, messages, tools: [tool], tool_choice, max_tokens: 40};
    const whole = await server.postJson('/v1/messages', body);
    t.like(whole.body, {stop_reason: 'tool_use', content: [{type: 'tool_use', name: 'say'}]});
    const response = await server.post('/v1/messages', {...body, stream: true});
    const deltas = eventsOf(await response.text()).filter(
      ({name}) => name === 'content_block_delta',
    );
    t.is(deltas.length, 32);
    const said = deltas.map(({data}) => (data.delta as {partial_json: string}).partial_json);
    t.deepEqual(JSON.parse(said.join('')), whole.body.content[0].input);
  }
  const {body} = await server.postJson('/v1/responses', {
    model,
    input: 'a',
    tools: [{type: 'function', name: 'f'}],
    tool_choice: 'required',
  });
  t.like(body.output[0], {type: 'function_call', name: 'f'});
  t.deepEqual(Object.keys(JSON.parse(body.output[0].arguments)), ['said']);
});

test('a stop sequence ends a message, and a message has its own form of errors', async t => {
  const server = await startModel(t);
  const ask = (more: object) =>
    server.postJson('/v1/messages', {model, messages, max_tokens: 50, ...more});
  const {body: free} = await ask({});
  const words = free.content[0].text.split(' ');
  const {body: cut} = await ask({stop_sequences: [words[3]]});
  t.is(cut.content[0].text, `${words.slice(0, 3).join(' ')} `);
  t.is(cut.stop_reason, 'end_turn');
  const refused = await ask({max_tokens: undefined});
  t.is(refused.status, 400);
  t.deepEqual(refused.body, {
    type: 'error',
    error: {type: 'BadRequestError', message: 'max_tokens is required.'},
  });
});
