/**
Pieces: what a sequence says, in whole and token by token.

In: a sequence, a step. Out: its text, as it is or as it stands inside of a JSON string.
*/
import type {Exchange} from './exchange.ts';
import type {Plan, Sequence} from './plan.ts';
import {completionText, word} from './tokens.ts';

const hugeBytes = 2 * 1024 * 1024;
const huge = () => 'x'.repeat(hugeBytes);

export const textOf = ({text, seed, tokens}: Sequence, {faults}: Exchange) => {
  const said = text ?? completionText(seed, tokens);
  return faults.has('huge-chunk') ? huge() + said : said;
};

export const pieceOf = ({text, seed}: Sequence, step: number, {faults}: Exchange) => {
  if (step === 0 && faults.has('huge-chunk')) return huge();
  return text === undefined ? word(seed, step) : text.slice(step * 4, step * 4 + 4);
};

/** Words need no escaping, and most of what is said is words. */
export const quoted = ({isJson}: Sequence, text: string) =>
  isJson ? JSON.stringify(text).slice(1, -1) : text;

export const quotedPieceOf = (sequence: Sequence, step: number, exchange: Exchange) =>
  quoted(sequence, pieceOf(sequence, step, exchange));

export const totalTokens = (plan: Plan) =>
  plan.sequences.reduce((sum, {tokens}) => sum + tokens, 0);
