/**
Choices: chats and text completions, which answer in choices.

In: a wire format, a plan. Out: its script. vLLM's own habits are kept: usage in a chunk is that choice's alone, and only the last
chunk, with no choices, has the sum.
*/
import type {Exchange} from './exchange.ts';
import type {Chunks, Script} from './generate.ts';
import {quoted, quotedPieceOf, textOf, totalTokens} from './pieces.ts';
import type {Plan, Sequence} from './plan.ts';
import {argumentsOf, argumentsPiece} from './typed-events.ts';
import {callWire, head, type Wire} from './wire.ts';

const startOf = (wire: Wire, object: string, {id, created, model}: Exchange) =>
  head(`${wire.idPrefix}${id}`, object, created, model.json);

/** A form of the wire, and what is said in it: texts as they stand inside of a JSON string. */
type Saying = Readonly<{
  wire: Wire;
  pieceOf: (sequence: Sequence, step: number, exchange: Exchange) => string;
  textOf: (sequence: Sequence, exchange: Exchange) => string;
}>;

/** The chunks of each step, as one function a plan so that a token costs two concatenations. */
const chunksOf = (plan: Plan, {wire, pieceOf}: Saying, exchange: Exchange): Chunks => {
  const start = startOf(wire, wire.chunkObject, exchange);
  const shown = plan.sequences.filter(sequence => sequence.shown);
  const starts = shown.map(({index}) => `data: ${start}${wire.chunkStart(index)}`);
  const open = wire.chunkEnd(null);
  const usage = ({promptTokens}: Sequence, tokens: number) =>
    plan.everyUsage ? exchange.usage(promptTokens, tokens) : '';
  return {
    opening: () =>
      wire.opening === undefined
        ? []
        : shown.map(each => `data: ${start}${wire.opening?.(each.index)}]${usage(each, 0)}}\n\n`),
    step(step, write) {
      for (const [at, each] of shown.entries()) {
        if (step >= each.tokens) continue;
        const end = step === each.tokens - 1 ? wire.chunkEnd(each.finish) : open;
        write(`${starts[at]}${pieceOf(each, step, exchange)}${end}]${usage(each, step + 1)}}\n\n`);
      }
    },
    last() {
      const sum = plan.lastUsage ? exchange.usage(plan.promptTokens, totalTokens(plan)) : '';
      return `${sum === '' ? '' : `data: ${start}]${sum}}\n\n`}data: [DONE]\n\n`;
    },
  };
};

const wholeOf = (plan: Plan, {wire, textOf}: Saying, exchange: Exchange) => {
  const choices = plan.sequences
    .filter(({shown}) => shown)
    .map(each => wire.whole(each.index, textOf(each, exchange), each.finish));
  const usage = exchange.usage(plan.promptTokens, totalTokens(plan));
  return `${startOf(wire, wire.wholeObject, exchange)}${choices.join(',')}]${usage}}`;
};

const scriptOf = (sayingOf: (exchange: Exchange) => Saying): Script => ({
  chunks: (plan, exchange) => chunksOf(plan, sayingOf(exchange), exchange),
  whole: (plan, exchange) => wholeOf(plan, sayingOf(exchange), exchange),
});

export const choicesScript = (wire: Wire): Script => {
  const saying: Saying = {
    wire,
    pieceOf: quotedPieceOf,
    textOf: (sequence, exchange) => quoted(sequence, textOf(sequence, exchange)),
  };
  return scriptOf(() => saying);
};

/** A chat whose every choice calls this tool. */
export const callScript = (tool: string): Script =>
  scriptOf(({id}) => ({
    wire: callWire(JSON.stringify(tool), id),
    pieceOf: argumentsPiece,
    textOf: (sequence, exchange) => JSON.stringify(argumentsOf(sequence, exchange)).slice(1, -1),
  }));
