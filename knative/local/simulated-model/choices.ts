/**
Choices: chats and text completions, which answer in choices.

In: a wire format, a plan. Out: its script. vLLM's own habits are kept: usage in a chunk is that choice's alone, and only the last
chunk, with no choices, has the sum.
*/
import type {Exchange} from './exchange.ts';
import type {Chunks, Script} from './generate.ts';
import {pieceOf, textOf, totalTokens} from './pieces.ts';
import type {Plan, Sequence} from './plan.ts';
import {head, type Wire} from './wire.ts';

const startOf = (wire: Wire, object: string, {id, created, model}: Exchange) =>
  head(`${wire.idPrefix}${id}`, object, created, model.json);

/** The chunks of each step, as one function a plan so that a token costs two concatenations. */
const chunksOf = (plan: Plan, wire: Wire, exchange: Exchange): Chunks => {
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

export const choicesScript = (wire: Wire): Script => ({
  chunks: (plan, exchange) => chunksOf(plan, wire, exchange),
  whole(plan, exchange) {
    const choices = plan.sequences
      .filter(({shown}) => shown)
      .map(each => wire.whole(each.index, textOf(each, exchange), each.finish));
    const usage = exchange.usage(plan.promptTokens, totalTokens(plan));
    return `${startOf(wire, wire.wholeObject, exchange)}${choices.join(',')}]${usage}}`;
  },
});
