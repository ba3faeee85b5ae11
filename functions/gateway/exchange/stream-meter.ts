/**
Stream meter: reads the usage out of a streamed answer as it passes, and takes out what the client did not ask for.

In: the bytes of a server-sent event stream, cut anywhere. Out: the bytes for the client; the last usage report of every
choice, or the number of content chunks where none was made. An event is parsed only as far as its usage, because parsing
every chunk of every stream costs more than all the rest of the gateway.

A report in every chunk is about its own choice (and prompt); only the last chunk, without choices, sums up all of them.
*/
import type {Tokens} from '../../budget/cost.ts';
import {skipValue} from '../admission/members.ts';
import {createEventReader} from './event-reader.ts';
import {estimate, readUsage} from './usage.ts';

const usageKey = '"usage"';
const noChoices = /"choices"\s*:\s*\[\s*\]/;
const indexPattern = /"index"\s*:\s*(\d{1,4})/;
/** The chunk that names the role, or ends a choice, has no token in it. */
const noContent = '"content":""';
/** As a whole event: an answer may say it too. */
const done = /^data:[ \t]*\[DONE\]/;

/** The longest event that is looked into; a longer one passes as it is. */
const eventBytesMax = 1024 * 1024;

export type MeterOptions = Readonly<{
  /** The client asked for the summing chunk. */
  keepFinal: boolean;
  /** The client asked for a report in every chunk. */
  keepEvery: boolean;
}>;

export const createStreamMeter = ({keepFinal, keepEvery}: MeterOptions) => {
  let chunks = 0;
  let events = 0;
  let finished = false;
  let total: Tokens | undefined;
  const byChoice = new Map<string, Tokens>();

  /** One event, with its blank line; returns what of it goes to the client. */
  const pass = (event: string): string => {
    events += 1;
    const at = usageAt(event);
    if (at < 0) {
      if (done.test(event)) {
        finished = true;
      } else if (event.startsWith('d') && !event.includes(noContent)) {
        chunks += 1;
      }
      return event;
    }
    return passWithUsage(event, at);
  };

  const passWithUsage = (event: string, at: number): string => {
    const colon = event.indexOf(':', at + usageKey.length);
    const {usage, end} = readValue(event, colon + 1);
    const isFinal = noChoices.test(event);
    if (usage && isFinal) {
      total = usage;
    } else if (usage) {
      byChoice.set(indexPattern.exec(event)?.[1] ?? '0', usage);
      chunks += 1;
    } else if (!isFinal && !event.includes(noContent)) {
      chunks += 1;
    }
    if (isFinal) {
      return keepFinal || !usage ? event : '';
    }
    return keepEvery ? event : cut(event, at, end, keepFinal);
  };

  const reader = createEventReader(pass, eventBytesMax);

  return {
    push: reader.push,
    flush: reader.flush,
    /** The last report there was; undefined when there was none. */
    reported(): Tokens | undefined {
      return total ?? (byChoice.size === 0 ? undefined : sum(byChoice.values()));
    },
    chunks: () => chunks,
    counted: (promptBytes: number): Tokens | undefined =>
      chunks > 0 ? estimate(promptBytes, chunks) : undefined,
    /** Whether anything came that is an event stream at all. */
    events: () => events,
    finished: () => finished,
  };
};

export type StreamMeter = ReturnType<typeof createStreamMeter>;

/** Where the member begins, or -1. The same word without a colon is what the model says, or the name of a tool. */
const usageAt = (event: string): number => {
  let at = event.indexOf(usageKey);
  while (at >= 0 && !isKey(event, at + usageKey.length)) {
    at = event.indexOf(usageKey, at + usageKey.length);
  }
  return at;
};

const isKey = (event: string, end: number): boolean => {
  let at = end;
  while (event[at] === ' ') {
    at += 1;
  }
  return event[at] === ':';
};

/** The value behind a colon: what usage it is, and where it ends. */
const readValue = (event: string, from: number) => {
  let start = from;
  while (event[start] === ' ') {
    start += 1;
  }
  // Nearly every report is flat, and then ends at its first closing brace; that it parses proves it.
  const brace = event.indexOf('}', start) + 1;
  if (event[start] === '{' && !event.slice(start + 1, brace).includes('{')) {
    const flat = parse(event.slice(start, brace));
    if (flat !== undefined) {
      return {usage: readUsage(flat), end: brace};
    }
  }
  const end = skipValue(Buffer.from(event, 'latin1'), start);
  return {usage: readUsage(parse(event.slice(start, end))), end};
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Takes the member out with one of its commas; with `asNull`, as OpenAI sends it to who asked for the final report only. */
const cut = (event: string, keyStart: number, valueEnd: number, asNull: boolean): string => {
  if (asNull) {
    return `${event.slice(0, keyStart)}"usage":null${event.slice(valueEnd)}`;
  }
  let start = keyStart;
  while (event[start - 1] === ' ') {
    start -= 1;
  }
  let end = valueEnd;
  if (event[start - 1] === ',') {
    start -= 1;
  } else if (event[end] === ',') {
    end += 1;
  }
  return event.slice(0, start) + event.slice(end);
};

const sum = (all: Iterable<Tokens>): Tokens => {
  const result = {inputTokens: 0, cachedInputTokens: 0, outputTokens: 0};
  for (const {inputTokens, cachedInputTokens, outputTokens} of all) {
    // Choices of one prompt share it; summing prompts would need to know which choice belongs to which.
    result.inputTokens = Math.max(result.inputTokens, inputTokens);
    result.cachedInputTokens = Math.max(result.cachedInputTokens, cachedInputTokens);
    result.outputTokens += outputTokens;
  }
  return result;
};
