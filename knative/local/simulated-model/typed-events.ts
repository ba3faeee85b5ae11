/**
Typed events: what streams whose events have names share, and the one tool that this server can be made to call.

In: a name and its data. Out: an event's text. A tool is called only where the request leaves no choice: with one text, said token by
token, `{"said":"…"}`.
*/
import type {Exchange} from './exchange.ts';
import {type Body, isObject} from './fields.ts';
import {pieceOf, textOf} from './pieces.ts';
import type {Sequence} from './plan.ts';

export const event = (name: string, json: string) => `event: ${name}\ndata: ${json}\n\n`;

const callStart = '{"said":"';
const callEnd = '"}';

/** The name of the tool that must be called: the one that is named, or any, which is the first. */
export const forcedTool = ({tools, tool_choice: choice}: Body): string | undefined => {
  const named = isObject(choice) && typeof choice.name === 'string' ? choice.name : undefined;
  const isForced = choice === 'required' || (isObject(choice) && choice.type === 'any');
  const first: unknown = Array.isArray(tools) ? tools[0] : undefined;
  if (named !== undefined || !isForced || !isObject(first)) return named;
  return typeof first.name === 'string' ? first.name : undefined;
};

export const argumentsOf = (sequence: Sequence, exchange: Exchange) =>
  callStart + textOf(sequence, exchange) + callEnd;

/** A piece of the arguments, as it stands inside of a JSON string. */
export const argumentsPiece = (sequence: Sequence, step: number, exchange: Exchange) => {
  const start = step === 0 ? callStart : '';
  const end = step === sequence.tokens - 1 ? callEnd : '';
  const piece = JSON.stringify(start + pieceOf(sequence, step, exchange) + end);
  return piece.slice(1, -1);
};
