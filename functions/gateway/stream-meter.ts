/**
Stream meter: reads the usage out of a streamed answer as it passes, and takes out what the client did not ask for.

In: the bytes of a server-sent event stream, cut anywhere. Out: the bytes for the client; the last usage report of every
choice, or the number of content chunks where none was made. Works on bytes: an event is parsed only as far as its usage,
because parsing every chunk of every stream costs more than all the rest of the gateway.

A report in every chunk is about its own choice (and prompt); only the last chunk, without choices, sums up all of them.
*/
import type {Tokens} from '../budget/cost.ts';
import {skipValue} from './members.ts';
import {readUsage} from './usage.ts';

const usageKey = Buffer.from('"usage"');
const noChoices = /"choices"\s*:\s*\[\s*\]/;
const indexPattern = /"index"\s*:\s*(\d{1,4})/;
/** The chunk that names the role, or ends a choice, has no token in it. */
const noContent = Buffer.from('"content":""');
const done = Buffer.from('[DONE]');
const empty = Buffer.alloc(0);

/** The longest event that is looked into; a longer one passes as it is. */
const eventBytesMax = 1024 * 1024;

export type MeterOptions = Readonly<{
  /** The client asked for the summing chunk. */
  keepFinal: boolean;
  /** The client asked for a report in every chunk. */
  keepEvery: boolean;
}>;

export const createStreamMeter = ({keepFinal, keepEvery}: MeterOptions) => {
  let rest: Buffer = empty;
  let chunks = 0;
  let events = 0;
  let finished = false;
  let total: Tokens | undefined;
  const byChoice = new Map<string, Tokens>();

  /** One event, with its blank line; returns what of it goes to the client. */
  const pass = (event: Buffer): Buffer => {
    events += 1;
    const at = event.indexOf(usageKey);
    if (at < 0) {
      if (event.includes(done)) {
        finished = true;
      } else if (event[0] === 0x64 && !event.includes(noContent)) {
        chunks += 1;
      }
      return event;
    }
    return passWithUsage(event, at);
  };

  const passWithUsage = (event: Buffer, at: number): Buffer => {
    const colon = event.indexOf(0x3a, at + usageKey.length);
    const start = skipSpaces(event, colon + 1);
    const end = skipValue(event, start);
    const text = event.toString('latin1');
    const isFinal = noChoices.test(text);
    const usage = parseUsage(event.subarray(start, end));
    if (usage && isFinal) {
      total = usage;
    } else if (usage) {
      byChoice.set(indexPattern.exec(text)?.[1] ?? '0', usage);
      chunks += 1;
    } else if (!isFinal) {
      chunks += 1;
    }
    if (isFinal) {
      return keepFinal || !usage ? event : empty;
    }
    return keepEvery || colon < 0 ? event : cut(event, at, end, keepFinal);
  };

  return {
    /** Passes bytes on; what is no whole event yet waits for the rest. */
    push(bytes: Buffer): Buffer {
      const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      const out: Buffer[] = [];
      let from = 0;
      for (;;) {
        const end = endOfEvent(all, from);
        if (end < 0) {
          break;
        }
        const passed = pass(all.subarray(from, end));
        if (passed.length > 0) {
          out.push(passed);
        }
        from = end;
      }
      rest = all.subarray(from);
      if (rest.length > eventBytesMax) {
        out.push(rest);
        rest = empty;
      }
      return out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
    },
    /** What is left when the upstream ended. */
    flush(): Buffer {
      const left = rest;
      rest = empty;
      return left.length > 0 ? pass(left) : left;
    },
    /** The last report there was; undefined when there was none. */
    reported(): Tokens | undefined {
      return total ?? (byChoice.size === 0 ? undefined : sum(byChoice.values()));
    },
    chunks: () => chunks,
    /** Whether anything came that is an event stream at all. */
    events: () => events,
    finished: () => finished,
  };
};

export type StreamMeter = ReturnType<typeof createStreamMeter>;

const skipSpaces = (bytes: Buffer, from: number) => {
  let at = from;
  while (bytes[at] === 0x20) {
    at += 1;
  }
  return at;
};

/** Behind the blank line that ends an event: LF LF or CR LF CR LF. */
const endOfEvent = (bytes: Buffer, from: number): number => {
  let at = from;
  for (;;) {
    at = bytes.indexOf(0x0a, at);
    if (at < 0) {
      return -1;
    }
    if (bytes[at + 1] === 0x0a) {
      return at + 2;
    }
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) {
      return at + 3;
    }
    at += 1;
  }
};

const parseUsage = (bytes: Buffer): Tokens | undefined => {
  try {
    return readUsage(JSON.parse(bytes.toString('utf8')));
  } catch {
    return undefined;
  }
};

/** Takes the member out with one of its commas; with `asNull`, as OpenAI sends it to who asked for the final report only. */
const cut = (event: Buffer, keyStart: number, valueEnd: number, asNull: boolean): Buffer => {
  if (asNull) {
    return Buffer.concat([
      event.subarray(0, keyStart),
      Buffer.from('"usage":null'),
      event.subarray(valueEnd),
    ]);
  }
  let start = keyStart;
  while (event[start - 1] === 0x20) {
    start -= 1;
  }
  let end = valueEnd;
  if (event[start - 1] === 0x2c) {
    start -= 1;
  } else if (event[end] === 0x2c) {
    end += 1;
  }
  return Buffer.concat([event.subarray(0, start), event.subarray(end)]);
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
