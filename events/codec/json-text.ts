/**
JSON text: keeps the very text that JSON data was read from, so that who only forwards an event changes no byte of its data.

Parsed and written again, 9007199254740993 would be 9007199254740992, 1.0 would be 1 and numeric names would move to the front.
In: an event and the text it was parsed from. Out: the text of its data. Who never forwards does not pay for finding it.

The text hangs on the data itself, unseen, because an event is copied when attributes are added (`{...event, extra: 1}`). A
number, text, boolean or null cannot carry it: there it hangs on the event and is lost with the first copy. Data that was
changed since it was read is written as it is now.
*/
import type {Event} from '../event.ts';

/** One event, a batch of them, or (`of: 'data'`) nothing but the data. The spans are found when first asked for. */
export type Source = {
  readonly text: string;
  readonly of: 'event' | 'batch' | 'data';
  spans?: readonly Span[];
};
type Span = Readonly<{start: number; end: number}>;
type Kept = Readonly<{source: Source; index: number}>;

const kept = Symbol('the text that the data was read from');

const carrierOf = (event: Event): object =>
  typeof event.data === 'object' && event.data !== null ? event.data : event;

export const keepText = (event: Event, source: Source, index = 0): Event => {
  if (event.data !== undefined && !(event.data instanceof Uint8Array)) {
    // Not enumerable: neither JSON.stringify, nor a copy of the data, nor a test that compares sees it.
    Object.defineProperty(carrierOf(event), kept, {value: {source, index} satisfies Kept});
  }
  return event;
};

/** The JSON of the data: as it was read, where it still is what was read; undefined where nothing was kept. */
export const keptText = (event: Event): string | undefined => {
  const found = (carrierOf(event) as {[kept]?: Kept})[kept];
  if (found === undefined) {
    return undefined;
  }
  const now = JSON.stringify(event.data);
  if (found.source.of === 'event' && endsWithData(found.source.text, now)) {
    return now;
  }
  const read = textIn(found);
  return read === now || JSON.stringify(JSON.parse(read)) === now ? read : now;
};

/**
Whether an event's text is one that we could have written: then nobody has to look for its data. What is before the last bracket of
an object is its last member, and a bare quote after a comma begins a name.
*/
const endsWithData = (json: string, data: string) => json.endsWith(`,"data":${data}}`);

/** The JSON of the data in the JSON of an event that has some, and was just read. */
export const dataTextIn = (json: string, {data}: Event): string => {
  const written = JSON.stringify(data);
  if (endsWithData(json, written)) {
    return written;
  }
  const {start, end} = dataIn(json, json.indexOf('{')).span;
  return json.slice(start, end);
};

/** The whole text that the event was read from, where it was read by itself. */
export const wholeText = (event: Event): string | undefined => {
  const source = (carrierOf(event) as {[kept]?: Kept})[kept]?.source;
  return source?.of === 'event' ? source.text : undefined;
};

const textIn = ({source, index}: Kept): string => {
  source.spans ??= spansOf(source);
  const {start, end} = source.spans[index] as Span;
  return source.text.slice(start, end);
};

/** Where the data of each event stands. The text was parsed before: it is known to be JSON, and a list of objects. */
const spansOf = ({text, of}: Source): Span[] => {
  if (of === 'data') {
    return [{start: 0, end: text.length}];
  }
  const spans: Span[] = [];
  for (let at = text.indexOf('{'); at !== -1; at = text.indexOf('{', at)) {
    const {span, end} = dataIn(text, at);
    spans.push(span);
    at = end;
  }
  return spans;
};

/** The members of the object at `start`. Of a name that comes twice the last counts, as it does for JSON.parse. */
const dataIn = (text: string, start: number): {span: Span; end: number} => {
  let span: Span = {start, end: start};
  let at = skipSpace(text, start + 1);
  while (text[at] === '"') {
    const nameEnd = skipString(text, at);
    const name = text.slice(at, nameEnd);
    const valueStart = skipSpace(text, skipSpace(text, nameEnd) + 1);
    const valueEnd = skipValue(text, valueStart);
    if (name === '"data"' || (name.includes('\\') && JSON.parse(name) === 'data')) {
      span = {start: valueStart, end: valueEnd};
    }
    at = skipSpace(text, valueEnd);
    at = text[at] === ',' ? skipSpace(text, at + 1) : at;
  }
  return {span, end: at + 1};
};

const quote = 0x22;
const slash = 0x5c;
const isSpace = (code: number) => code === 0x20 || (code >= 0x09 && code <= 0x0d);
const opens = (code: number) => code === 0x7b || code === 0x5b;
const closes = (code: number) => code === 0x7d || code === 0x5d;

const skipSpace = (text: string, at: number): number => {
  let end = at;
  while (isSpace(text.charCodeAt(end))) {
    end += 1;
  }
  return end;
};

const skipString = (text: string, at: number): number => {
  for (let end = text.indexOf('"', at + 1); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === slash) {
      slashes += 1;
    }
    if (slashes % 2 === 0) {
      return end + 1;
    }
  }
};

/** Without recursion, and without a regular expression: either could be made to overflow by a long text. */
const skipValue = (text: string, at: number): number => {
  let depth = 0;
  let end = at;
  do {
    const code = text.charCodeAt(end);
    if (code === quote) {
      end = skipString(text, end);
    } else if (opens(code)) {
      depth += 1;
      end += 1;
    } else if (closes(code)) {
      depth -= 1;
      end += 1;
    } else {
      end = depth === 0 ? skipScalar(text, end) : end + 1;
    }
  } while (depth > 0);
  return end;
};

const skipScalar = (text: string, at: number): number => {
  let end = at;
  while (end < text.length && !',]} \t\n\r'.includes(text[end] as string)) {
    end += 1;
  }
  return end;
};
