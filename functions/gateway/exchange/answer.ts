/**
Answer: a model server's answer on its way to the client, streamed or whole, and the usage in it.

In: bytes as they come. Out: bytes for the client, and what to charge. A whole answer is held back until it is known to be one,
up to a bound; a stream until its first event is. What is no answer throws, before anything was sent.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Tokens} from '../../budget/cost.ts';
import type {Form, Meter} from '../surface/form.ts';
import {estimate} from './usage.ts';

export type Charge = Readonly<{tokens: Tokens; estimated: boolean}>;

export type Answer = Readonly<{
  contentType: string;
  /** Returns what goes to the client now. */
  push(bytes: Buffer): Buffer;
  /** The upstream ended as it should. Returns the last bytes. */
  end(): Buffer;
  /** By the last report, else counted. Undefined: nothing at all came that could be counted. */
  charge(): Charge | undefined;
}>;

export const streamType = 'text/event-stream; charset=utf-8';

const none: Buffer = Buffer.alloc(0);

const garbage = (what: string) =>
  new SluiceError('upstream_error', `the model server's answer is not ${what}`);

export const createStreamAnswer = (promptBytes: number, meter: Meter): Answer => {
  let head: Buffer | undefined = none;
  return {
    contentType: streamType,
    push(bytes) {
      if (head) {
        head = head.length === 0 ? bytes : Buffer.concat([head, bytes]);
        if (head.length < 7) {
          return none;
        }
        if (!/^(?:data:|event:|id:|retry:|:|\r?\n)/.test(head.toString('latin1', 0, 7))) {
          throw garbage('an event stream');
        }
        const first = head;
        head = undefined;
        return meter.push(first);
      }
      return meter.push(bytes);
    },
    end() {
      if (head || meter.events() === 0) {
        throw garbage('an event stream');
      }
      return meter.flush();
    },
    charge() {
      const reported = meter.reported();
      if (reported) {
        return {tokens: reported, estimated: false};
      }
      const counted = meter.counted(promptBytes);
      return counted && {tokens: counted, estimated: true};
    },
  };
};

const wholeBytesMax = 8 * 1024 * 1024;
const tailBytes = 64 * 1024;

export const createWholeAnswer = (
  promptBytes: number,
  form: Pick<Form, 'usage' | 'written'>,
): Answer => {
  let held: Buffer[] | undefined = [];
  let size = 0;
  let tail = none;
  let parsed: Record<string, unknown> | undefined;

  return {
    contentType: 'application/json',
    push(bytes) {
      size += bytes.length;
      if (held) {
        held.push(bytes);
        if (size <= wholeBytesMax) {
          return none;
        }
        // A long list of embeddings: pass on, and look for the usage at the end, where every server puts it.
        const all = Buffer.concat(held);
        held = undefined;
        tail = all.subarray(-tailBytes);
        return all;
      }
      tail = Buffer.concat([tail, bytes]).subarray(-tailBytes);
      return bytes;
    },
    end() {
      if (!held) {
        return none;
      }
      const all = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held);
      try {
        parsed = JSON.parse(all.toString('utf8')) as Record<string, unknown>;
      } catch {
        throw garbage('JSON');
      }
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
        throw garbage('a JSON object');
      }
      return all;
    },
    charge() {
      if (!parsed && held) {
        return undefined;
      }
      const usage = form.usage(parsed ? parsed.usage : usageIn(tail));
      return usage
        ? {tokens: usage, estimated: false}
        : {
            tokens: estimate(promptBytes, parsed ? tokensIn(form.written(parsed)) : 0),
            estimated: true,
          };
    },
  };
};

const usageIn = (bytes: Buffer): unknown => {
  const match = /"usage"\s*:\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})\s*[,}]/.exec(
    bytes.toString('latin1'),
  );
  try {
    return match?.[1] === undefined ? undefined : JSON.parse(match[1]);
  } catch {
    return undefined;
  }
};

/** Without a report: the bytes of the answer ÷ 4. */
const tokensIn = (texts: readonly unknown[]): number => {
  const bytes = texts.map(text => (typeof text === 'string' ? Buffer.byteLength(text) : 0));
  return Math.ceil(bytes.reduce((sum, each) => sum + each, 0) / 4);
};
