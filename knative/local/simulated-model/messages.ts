/**
Messages: `/v1/messages`, Anthropic's form, as vLLM serves it on top of its chat.

In: a body. Out: a message, whole or as events; the prompt's tokens stand in its first event, all of them in the last but one.
*/
import {askedOf} from './asked.ts';
import {badRequest} from './errors.ts';
import type {Exchange, Prepare} from './exchange.ts';
import {type Body, isObject} from './fields.ts';
import {type Chunks, generate, type Script} from './generate.ts';
import {quotedPieceOf, textOf, totalTokens} from './pieces.ts';
import {type Plan, plan, type Sequence} from './plan.ts';
import {readMessages} from './prompt.ts';
import {argumentsOf, argumentsPiece, event} from './typed-events.ts';

/** A block as a part that the chat's prompt can count: media stay what they are. */
const partOf = (block: unknown): unknown => {
  if (!isObject(block)) return block;
  const {type, input, content, thinking} = block;
  if (type === 'tool_use') return {text: JSON.stringify(input)};
  if (type === 'thinking') return {text: thinking};
  if (type !== 'tool_result') return block;
  const texts = Array.isArray(content) ? content.map(part => part?.text ?? '') : [content];
  return {text: texts.join('')};
};

const contentOf = (content: unknown) => (Array.isArray(content) ? content.map(partOf) : content);

const readPrompt = ({system, messages, tools}: Body) => {
  const before = system === undefined ? [] : [{role: 'system', content: contentOf(system)}];
  const own = Array.isArray(messages) ? messages : [];
  if (own.length === 0) throw badRequest('messages must be a list of at least one message.');
  const given = own.map(each =>
    isObject(each) ? {...each, content: contentOf(each.content)} : each,
  );
  return readMessages({messages: [...before, ...given], tools});
};

/** Null where nothing is to be reported. Cached tokens are not in `input_tokens`. */
const usageOf = ({counts}: Exchange, promptTokens: number, tokens: number) => {
  const found = counts(promptTokens, tokens);
  return (
    found && {
      input_tokens: found.prompt - found.cached,
      output_tokens: tokens === 0 ? 0 : found.completion,
      ...(found.cached > 0 ? {cache_read_input_tokens: found.cached} : {}),
    }
  );
};

const stopReason = ({finish}: Sequence, tool: string | undefined) => {
  if (finish === 'length') return 'max_tokens';
  return tool === undefined ? 'end_turn' : 'tool_use';
};

/** What was cut is no JSON: vLLM gives an empty input then. */
const inputOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
};

const scriptOf = (tool: string | undefined): Script => {
  const messageOf = (planned: Plan, exchange: Exchange, fields: object, tokens: number) => ({
    id: `chatcmpl-${exchange.id}`,
    type: 'message',
    role: 'assistant',
    model: exchange.model.name,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: usageOf(exchange, planned.promptTokens, tokens),
    ...fields,
  });
  const callOf = ({id}: Exchange) => ({type: 'tool_use', id: `call-${id}`, name: tool, input: {}});

  const chunks = (planned: Plan, exchange: Exchange): Chunks => {
    const sequence = planned.sequences[0] as Sequence;
    const block = tool === undefined ? {type: 'text', text: ''} : callOf(exchange);
    const [kind, text] =
      tool === undefined ? ['text_delta', 'text'] : ['input_json_delta', 'partial_json'];
    const piece = tool === undefined ? quotedPieceOf : argumentsPiece;
    const head = `event: content_block_delta\ndata: {"index":0,"delta":{"type":"${kind}","${text}":"`;
    const named = (type: string, fields: object) => event(type, JSON.stringify({...fields, type}));
    return {
      opening: () => [
        named('message_start', {message: messageOf(planned, exchange, {}, 0)}),
        named('content_block_start', {index: 0, content_block: block}),
      ],
      step: (step, write) =>
        write(`${head}${piece(sequence, step, exchange)}"},"type":"content_block_delta"}\n\n`),
      last() {
        const delta = {stop_reason: stopReason(sequence, tool)};
        const usage = usageOf(exchange, planned.promptTokens, totalTokens(planned));
        return (
          named('content_block_stop', {index: 0}) +
          named('message_delta', {delta, usage}) +
          named('message_stop', {})
        );
      },
    };
  };

  return {
    chunks,
    whole(planned, exchange) {
      const sequence = planned.sequences[0] as Sequence;
      const block =
        tool === undefined
          ? {type: 'text', text: textOf(sequence, exchange)}
          : {...callOf(exchange), input: inputOf(argumentsOf(sequence, exchange))};
      const fields = {content: [block], stop_reason: stopReason(sequence, tool)};
      return JSON.stringify(messageOf(planned, exchange, fields, totalTokens(planned)));
    },
  };
};

export const prepareMessages: Prepare = (body, model, settings) => {
  if (body.max_tokens === undefined) throw badRequest('max_tokens is required.', 'max_tokens');
  const {max_tokens, stream, stop_sequences: stop} = body;
  const {tool, json} = askedOf(body);
  const rules = {...settings, json};
  const planned = plan({max_tokens, stream, stop}, [readPrompt(body)], model, rules);
  const script = scriptOf(tool);
  return exchange => generate(planned, script, exchange);
};
