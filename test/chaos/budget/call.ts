/**
Call: one request of one client, from its first byte to its last.

In: where, what, the key. Out: the status, the id that the gateway gave it, how many bytes of an answer came, how it ended. Never
throws: a connection that breaks is an outcome here, and status 0 is that there was no answer at all.
*/
import {type Agent, request as sendRequest} from 'node:http';
import type {Ask} from './asks.ts';

export type Outcome = {
  readonly target: number;
  readonly kind: Ask['kind'];
  readonly startedMs: number;
  endedMs: number;
  status: number;
  /** As `x-request-id` names it. */
  request: string;
  /** Of the body of an answer with status 200. */
  bytes: number;
  ended: 'whole' | 'cut' | 'aborted';
  retryAfterMs: number;
  /** OpenAI's code of a refusal. */
  code: string | undefined;
  /** What a whole answer says that it used. */
  usage: {prompt_tokens: number; completion_tokens: number} | undefined;
  /** `attached` or `replayed`: the answer of a request that somebody else made. */
  shared: string | undefined;
};

const timeoutMs = 20_000;
const textMax = 20_000;

export const callGateway = ({
  url,
  agent,
  target,
  apiKey,
  ask,
  onFirstByte = () => {},
  onEnd = () => {},
}: {
  url: string;
  agent: Agent;
  target: number;
  apiKey: string;
  ask: Ask;
  onFirstByte?: (request: string) => void;
  onEnd?: (request: string) => void;
}): Promise<Outcome> =>
  new Promise(resolve => {
    const outcome: Outcome = {
      target,
      kind: ask.kind,
      startedMs: Date.now(),
      endedMs: 0,
      status: 0,
      request: '',
      bytes: 0,
      ended: 'cut',
      retryAfterMs: 0,
      code: undefined,
      usage: undefined,
      shared: undefined,
    };
    let text = '';
    let isOver = false;
    const finish = (how: Outcome['ended']) => {
      if (isOver) {
        return;
      }
      isOver = true;
      clearTimeout(timer);
      outcome.endedMs = Date.now();
      outcome.ended = how;
      readText(outcome, text, ask.stream);
      if (outcome.bytes > 0) {
        onEnd(outcome.request);
      }
      resolve(outcome);
    };
    const call = sendRequest(`${url}/v1/chat/completions`, {
      method: 'POST',
      agent,
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(ask.body),
        ...(ask.key === undefined ? {} : {'idempotency-key': ask.key}),
      },
    });
    const timer = setTimeout(() => call.destroy(new Error('waited long enough')), timeoutMs);
    call.on('error', () => finish('cut'));
    call.on('response', answer => {
      outcome.status = answer.statusCode ?? 0;
      outcome.request = String(answer.headers['x-request-id'] ?? '');
      outcome.retryAfterMs = Number(answer.headers['retry-after'] ?? 0) * 1_000;
      outcome.shared = answer.headers['x-sluice-idempotency'] as string | undefined;
      let chunks = 0;
      answer.on('data', (part: Buffer) => {
        if (outcome.status === 200) {
          if (outcome.bytes === 0) {
            onFirstByte(outcome.request);
          }
          outcome.bytes += part.length;
          chunks += 1;
        }
        text = (text + part.toString('latin1')).slice(-textMax);
        if (ask.cutAfter !== undefined && chunks >= ask.cutAfter) {
          call.destroy();
          finish('aborted');
        }
      });
      answer.on('error', () => finish('cut'));
      answer.on('close', () =>
        finish(answer.complete && (!ask.stream || text.includes('[DONE]')) ? 'whole' : 'cut'),
      );
    });
    call.end(ask.body);
  });

const readText = (outcome: Outcome, text: string, stream: boolean) => {
  if (outcome.status === 200 && (stream || outcome.ended !== 'whole')) {
    return;
  }
  try {
    const parsed = JSON.parse(text);
    outcome.usage = parsed.usage;
    outcome.code = parsed.error?.code;
  } catch {
    // Cut in the middle.
  }
};
