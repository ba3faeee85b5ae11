/**
Generate: carries a plan out on a connection, whole or as a stream, until its end, its fault, or the client's goodbye.

In: a plan, the script of its form, the exchange. Out: the answer's bytes; the true counts in the request's life.
vLLM's own habits are kept: headers before the first token.
*/
import type {Exchange} from './exchange.ts';
import {startPace} from './pace.ts';
import type {Plan} from './plan.ts';
import {sendJson, writeHead} from './reply.ts';

const brokenLine = ': here it breaks off\n';

/** How the whole of an answer ended. */
export const overall = (plan: Plan) =>
  plan.sequences.some(({finish}) => finish === 'length') ? 'length' : 'stop';

/** Counts the tokens of one step: one for every sequence that still runs. */
const countStep = ({life}: Exchange, plan: Plan, step: number) => {
  if (step === 0) life.prompt(plan.promptTokens);
  let running = 0;
  for (const {tokens} of plan.sequences) if (step < tokens) running++;
  life.generated(running);
};

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

/** The texts of one stream, one event or more each, with their blank lines. */
export type Chunks = Readonly<{
  opening: () => readonly string[];
  step: (step: number, write: (chunk: string) => void) => void;
  last: () => string;
}>;

/** How a form writes what a plan has. */
export type Script = Readonly<{
  chunks: (plan: Plan, exchange: Exchange) => Chunks;
  whole: (plan: Plan, exchange: Exchange) => string;
}>;

const stream = (plan: Plan, script: Script, exchange: Exchange) => {
  const {response, life, settings, faults} = exchange;
  const chunks = script.chunks(plan, exchange);
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

const whole = (plan: Plan, script: Script, exchange: Exchange) => {
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
      if (sendWhole(exchange, script.whole(plan, exchange))) {
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
export const generate = (plan: Plan, script: Script, exchange: Exchange) =>
  plan.stream ? stream(plan, script, exchange) : whole(plan, script, exchange);
