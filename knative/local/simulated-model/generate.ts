/**
Generate: carries a plan out on a connection, whole or as a stream, until its end, its fault, or the client's goodbye.

In: a plan, the wire format, the exchange. Out: the answer's bytes; the true counts in the request's life.
vLLM's own habits are kept: headers before the first token; usage in a chunk is that choice's alone, and only the last
chunk, with no choices, has the sum.
*/
import type {Exchange} from './exchange.ts';
import {startPace} from './pace.ts';
import type {Plan, Sequence} from './plan.ts';
import {sendJson, writeHead} from './reply.ts';
import {completionText, word} from './tokens.ts';
import {head, type Wire} from './wire.ts';

const hugeBytes = 2 * 1024 * 1024;
const brokenLine = ': here it breaks off\n';
const huge = () => 'x'.repeat(hugeBytes);

const pieceOf = ({text, seed}: Sequence, step: number) =>
  text === undefined ? word(seed, step) : text.slice(step * 4, step * 4 + 4);

const textOf = ({text, seed, tokens}: Sequence) => text ?? completionText(seed, tokens);

const overall = (plan: Plan) =>
  plan.sequences.some(({finish}) => finish === 'length') ? 'length' : 'stop';

/** Counts the tokens of one step: one for every sequence that still runs. */
const countStep = ({life}: Exchange, plan: Plan, step: number) => {
  if (step === 0) life.prompt(plan.promptTokens);
  let running = 0;
  for (const {tokens} of plan.sequences) if (step < tokens) running++;
  life.generated(running);
};

const totalTokens = (plan: Plan) => plan.sequences.reduce((sum, {tokens}) => sum + tokens, 0);

const stepsOf = (plan: Plan) => Math.max(...plan.sequences.map(({tokens}) => tokens));

/** Freezes or resets the connection when a mid-stream fault is on. True: it did, write nothing more. */
const breakOff = ({faults, life, response}: Exchange, part: string) => {
  if (faults.has('hang-mid-stream')) {
    response.write(part);
    return true;
  }
  if (!faults.has('reset-mid-stream')) return false;
  life.fail();
  response.write(part, () => response.socket?.resetAndDestroy());
  return true;
};

/** The chunks of each step, as one function a plan so that a token costs two concatenations. */
const chunkWriter = (plan: Plan, wire: Wire, start: string, exchange: Exchange) => {
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
    step: (step: number, write: (chunk: string) => void) => {
      for (const [at, each] of shown.entries()) {
        if (step >= each.tokens) continue;
        const text = step === 0 && exchange.faults.has('huge-chunk') ? huge() : pieceOf(each, step);
        const end = step === each.tokens - 1 ? wire.chunkEnd(each.finish) : open;
        write(`${starts[at]}${text}${end}]${usage(each, step + 1)}}\n\n`);
      }
    },
    last: () => {
      const sum = plan.lastUsage ? exchange.usage(plan.promptTokens, totalTokens(plan)) : '';
      return `${sum === '' ? '' : `data: ${start}]${sum}}\n\n`}data: [DONE]\n\n`;
    },
  };
};

const stream = (plan: Plan, wire: Wire, exchange: Exchange) => {
  const {response, life, settings, faults, model, created, id} = exchange;
  const start = head(`${wire.idPrefix}${id}`, wire.chunkObject, created, model.json);
  const chunks = chunkWriter(plan, wire, start, exchange);
  const write = (chunk: string) => {
    if (response.socket?.writable) life.sent(1);
    response.write(chunk);
  };
  const breaks = faults.has('hang-mid-stream') || faults.has('reset-mid-stream');
  const breakAt = breaks ? settings().faultAfterTokens : Number.POSITIVE_INFINITY;
  writeHead(response, 200, 'text/event-stream; charset=utf-8');
  if (settings().firstTokenDelayMs > 0) response.flushHeaders();
  return startPace({
    steps: stepsOf(plan),
    firstDelayMs: settings().firstTokenDelayMs,
    delayMs: () => settings().tokenDelayMs,
    emit: step => {
      if (step >= breakAt) return !breakOff(exchange, brokenLine);
      countStep(exchange, plan, step);
      if (step === 0) for (const chunk of chunks.opening()) response.write(chunk);
      chunks.step(step, write);
      return true;
    },
    blocked: resume => {
      if (!response.writableNeedDrain) return false;
      response.once('drain', resume);
      return true;
    },
    done: () => {
      if (breakOff(exchange, brokenLine)) return;
      life.finish(overall(plan));
      response.end(chunks.last());
    },
  });
};

const wholeBody = (plan: Plan, wire: Wire, exchange: Exchange) => {
  const {model, created, id, faults} = exchange;
  const choices = plan.sequences
    .filter(({shown}) => shown)
    .map(each => {
      const text = faults.has('huge-chunk') ? huge() + textOf(each) : textOf(each);
      return wire.whole(each.index, text, each.finish);
    });
  const start = head(`${wire.idPrefix}${id}`, wire.wholeObject, created, model.json);
  return `${start}${choices.join(',')}]${exchange.usage(plan.promptTokens, totalTokens(plan))}}`;
};

const whole = (plan: Plan, wire: Wire, exchange: Exchange) => {
  const {life, settings} = exchange;
  return startPace({
    steps: stepsOf(plan),
    firstDelayMs: settings().firstTokenDelayMs,
    delayMs: () => settings().tokenDelayMs,
    emit: step => {
      countStep(exchange, plan, step);
      return true;
    },
    blocked: () => false,
    done: () => {
      const shown = plan.sequences.filter(sequence => sequence.shown);
      if (sendWhole(exchange, wholeBody(plan, wire, exchange))) {
        life.sent(shown.reduce((sum, {tokens}) => sum + tokens, 0));
        life.finish(overall(plan));
      }
    },
  });
};

/** Sends a body of known length, or half of it where a mid-stream fault is on (false). */
export const sendWhole = (exchange: Exchange, body: string) => {
  const {response} = exchange;
  if (exchange.faults.has('hang-mid-stream') || exchange.faults.has('reset-mid-stream')) {
    writeHead(response, 200, 'application/json', {'content-length': Buffer.byteLength(body)});
    return !breakOff(exchange, body.slice(0, body.length / 2));
  }
  sendJson(response, body);
  return true;
};

/** Starts to answer. Returned: what stops it, when the client has gone. */
export const generate = (plan: Plan, wire: Wire, exchange: Exchange) =>
  plan.stream ? stream(plan, wire, exchange) : whole(plan, wire, exchange);
