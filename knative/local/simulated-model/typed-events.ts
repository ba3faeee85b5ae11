/**
Typed events: what streams whose events have names share, and the one tool that this server can be made to call.

In: a name and its data. Out: an event's text. A tool is called only where the request leaves no choice: with one text, said token by
token, `{"said":"…"}`.
*/
import type {Exchange} from './exchange.ts';
import {pieceOf, quotedPieceOf, textOf} from './pieces.ts';
import type {Sequence} from './plan.ts';

export const event = (name: string, json: string) => `event: ${name}\ndata: ${json}\n\n`;

const callStart = '{"said":"';
const callEnd = '"}';

export const argumentsOf = (sequence: Sequence, exchange: Exchange) =>
  sequence.isJson ? textOf(sequence, exchange) : callStart + textOf(sequence, exchange) + callEnd;

/** A piece of the arguments, as it stands inside of a JSON string. */
export const argumentsPiece = (sequence: Sequence, step: number, exchange: Exchange) => {
  if (sequence.isJson) return quotedPieceOf(sequence, step, exchange);
  const start = step === 0 ? callStart : '';
  const end = step === sequence.tokens - 1 ? callEnd : '';
  const piece = JSON.stringify(start + pieceOf(sequence, step, exchange) + end);
  return piece.slice(1, -1);
};
