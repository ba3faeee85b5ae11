/**
Pieces: what a sequence says, in whole and token by token.

In: a sequence, a step. Out: text of characters that JSON need not escape.
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

export const totalTokens = (plan: Plan) =>
  plan.sequences.reduce((sum, {tokens}) => sum + tokens, 0);
