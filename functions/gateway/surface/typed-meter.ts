/**
Typed meter: reads the usage out of a stream whose events have names, as those of the Responses and Messages APIs have.

In: the bytes of a server-sent event stream, cut anywhere; which events report, which have a piece of the answer in them.
Out: the same bytes, event by event; the reports; else the number of pieces. Only events that report are parsed, and they are
parsed whole: tools and metadata that a client sent come back in them, and may have members of the same name.
*/
import type {Tokens} from '../../budget/cost.ts';
import {createEventReader} from '../exchange/event-reader.ts';
import {type Fields, isObject} from './fields.ts';
import type {Meter} from './form.ts';

/** Reports have the whole answer in them, and what the client sent. */
const eventBytesMax = 8 * 1024 * 1024;

const namePattern = /^event:[ \t]*([a-z_.]{1,80})[ \t]*\r?\n/;

export type TypedForm = Readonly<{
  isPiece(name: string): boolean;
  mayReport(name: string): boolean;
  /** Is told every event that may report, parsed. */
  read(name: string, event: Fields): void;
  reported(): Tokens | undefined;
  /** `pieces`: of the answer, that passed. */
  counted(pieces: number, promptBytes: number): Tokens | undefined;
}>;

export const createTypedMeter = (form: TypedForm): Meter => {
  let pieces = 0;
  let events = 0;

  const look = (event: string) => {
    events += 1;
    // A server that names no event is asked for the type in its data.
    const named = namePattern.exec(event)?.[1];
    const parsed = named === undefined ? dataOf(event) : undefined;
    const name = named ?? (typeof parsed?.type === 'string' ? parsed.type : '');
    if (form.isPiece(name)) {
      pieces += 1;
    } else if (form.mayReport(name)) {
      const data = parsed ?? dataOf(event);
      if (data) {
        form.read(name, data);
      }
    }
    return event;
  };
  const reader = createEventReader(look, eventBytesMax);

  return {
    push: reader.push,
    flush: reader.flush,
    events: () => events,
    reported: form.reported,
    counted: promptBytes => form.counted(pieces, promptBytes),
  };
};

/** The lines of data of one event, parsed. Bytes came as Latin-1 characters: numbers and names are right, texts need not be. */
const dataOf = (event: string): Fields | undefined => {
  const lines = event.split('\n').filter(line => line.startsWith('data:'));
  try {
    const value: unknown = JSON.parse(lines.map(line => line.slice(5)).join('\n'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
};
