/**
Responses: `/v1/responses`, OpenAI's newer form, as vLLM serves it: nothing is stored, what the client sent comes back.

In: a body. Out: a response, whole or as events that are numbered; usage stands in the last. Its end is `response.completed` also where
the answer was cut short, as vLLM's is.
*/
import {askedOf} from './asked.ts';
import type {Exchange, Prepare} from './exchange.ts';
import {type Body, integerField, isObject} from './fields.ts';
import {type Chunks, generate, type Script} from './generate.ts';
import {quotedPieceOf, textOf, totalTokens} from './pieces.ts';
import {type Plan, plan, type Sequence} from './plan.ts';
import {readMessages} from './prompt.ts';
import {argumentsOf, argumentsPiece, event} from './typed-events.ts';

/** An item as a message of a chat. */
const messageOf = (item: unknown): unknown => {
  if (!isObject(item) || item.role !== undefined) return item;
  const {output, content, arguments: given} = item;
  return {role: 'tool', content: output ?? content ?? given ?? ''};
};

const readPrompt = ({input, instructions, tools}: Body) => {
  const before = instructions ? [{role: 'system', content: instructions}] : [];
  const items = typeof input === 'string' ? [{role: 'user', content: input}] : input;
  const own = Array.isArray(items) ? items.map(messageOf) : [];
  return readMessages({messages: own.length === 0 ? [] : [...before, ...own], tools});
};

const usageOf = ({counts}: Exchange, promptTokens: number, tokens: number) => {
  const found = counts(promptTokens, tokens);
  return (
    found && {
      input_tokens: found.prompt,
      input_tokens_details: {cached_tokens: found.cached},
      output_tokens: found.completion,
      output_tokens_details: {reasoning_tokens: 0},
      total_tokens: found.prompt + found.completion,
    }
  );
};

const responseOf = (body: Body, {id, created, model}: Exchange, fields: object) => ({
  id: `resp_${id}`,
  object: 'response',
  created_at: created,
  status: 'in_progress',
  error: null,
  incomplete_details: null,
  instructions: body.instructions ?? null,
  max_output_tokens: body.max_output_tokens ?? null,
  metadata: body.metadata ?? null,
  model: model.name,
  output: [],
  parallel_tool_calls: true,
  previous_response_id: null,
  store: body.store ?? true,
  temperature: 1,
  text: null,
  tool_choice: body.tool_choice ?? 'auto',
  tools: body.tools ?? [],
  top_p: 1,
  truncation: 'disabled',
  usage: null,
  ...fields,
});

type Item = Readonly<{id: string; [member: string]: unknown}>;

/** The item that a sequence becomes; without one, as it begins. */
const itemOf = (tool: string | undefined, exchange: Exchange, sequence?: Sequence): Item => {
  const status = sequence === undefined ? 'in_progress' : 'completed';
  if (tool !== undefined) {
    const given = sequence === undefined ? '' : argumentsOf(sequence, exchange);
    const id = `fc_${exchange.id}`;
    return {id, type: 'function_call', call_id: `call_${id}`, name: tool, arguments: given, status};
  }
  const content = sequence === undefined ? [] : [partOf(textOf(sequence, exchange))];
  return {id: `msg_${exchange.id}`, type: 'message', role: 'assistant', content, status};
};

const partOf = (text: string) => ({type: 'output_text', text, annotations: [], logprobs: []});

/** What ends a response. */
const endOf = (tool: string | undefined, planned: Plan, exchange: Exchange) => {
  const sequence = planned.sequences[0] as Sequence;
  const isCut = sequence.finish === 'length';
  return {
    status: isCut ? 'incomplete' : 'completed',
    incomplete_details: isCut ? {reason: 'max_output_tokens'} : null,
    output: [itemOf(tool, exchange, sequence)],
    usage: usageOf(exchange, planned.promptTokens, totalTokens(planned)),
  };
};

const chunksOf = (body: Body, tool: string | undefined, planned: Plan, exchange: Exchange) => {
  const sequence = planned.sequences[0] as Sequence;
  const {id} = itemOf(tool, exchange);
  let number = 0;
  const named = (type: string, fields: object) =>
    event(type, JSON.stringify({...fields, sequence_number: number++, type}));
  const place = {item_id: id, output_index: 0, content_index: 0};
  const isText = tool === undefined;
  const deltaType = isText
    ? 'response.output_text.delta'
    : 'response.function_call_arguments.delta';
  const piece = isText ? quotedPieceOf : argumentsPiece;
  const head = `event: ${deltaType}\ndata: {"content_index":0,"item_id":"${id}","output_index":0,"delta":"`;

  const ending = () => {
    if (!isText) {
      const given = {...place, arguments: argumentsOf(sequence, exchange)};
      return [named('response.function_call_arguments.done', given)];
    }
    const text = textOf(sequence, exchange);
    return [
      named('response.output_text.done', {...place, text, logprobs: []}),
      named('response.content_part.done', {...place, part: partOf(text)}),
    ];
  };
  const chunks: Chunks = {
    opening() {
      const response = responseOf(body, exchange, {});
      const item = itemOf(tool, exchange);
      const part = () => named('response.content_part.added', {...place, part: partOf('')});
      return [
        named('response.created', {response}),
        named('response.in_progress', {response}),
        named('response.output_item.added', {output_index: 0, item}),
        ...(isText ? [part()] : []),
      ];
    },
    step: (step, write) =>
      write(
        `${head}${piece(sequence, step, exchange)}","logprobs":[],"sequence_number":${number++},"type":"${deltaType}"}\n\n`,
      ),
    last() {
      const item = itemOf(tool, exchange, sequence);
      const response = responseOf(body, exchange, endOf(tool, planned, exchange));
      const all = [
        ...ending(),
        named('response.output_item.done', {output_index: 0, item}),
        named('response.completed', {response}),
      ];
      return all.join('');
    },
  };
  return chunks;
};

const scriptOf = (body: Body, tool: string | undefined): Script => ({
  chunks: (planned, exchange) => chunksOf(body, tool, planned, exchange),
  whole: (planned, exchange) =>
    JSON.stringify(responseOf(body, exchange, endOf(tool, planned, exchange))),
});

export const prepareResponses: Prepare = (body, model, settings) => {
  const prompt = readPrompt(body);
  const bounds = {minimum: 1, maximum: Number.MAX_SAFE_INTEGER, fallback: undefined};
  const most = integerField(body, 'max_output_tokens', bounds);
  // As vLLM does, a maximum over the room is the room.
  const room = Math.max(model.maxModelLength - prompt.tokens, 1);
  const max_tokens = most === undefined ? undefined : Math.min(most, room);
  const {tool, json} = askedOf(body);
  const planned = plan({max_tokens, stream: body.stream}, [prompt], model, {...settings, json});
  const script = scriptOf(body, tool);
  return exchange => generate(planned, script, exchange);
};
