/**
Streams: chat completions on sockets of their own, for tests that cut them.

In: where, whose key, how long an answer. Out: as soon as there is a byte of the answer, or a refusal: the status, the
request's id, what came until now, and how it ended. Never throws: a connection that breaks is an outcome here.
*/
import {type IncomingMessage, request as sendRequest} from 'node:http';

export type Stream = Readonly<{
  /** 0: the connection broke before there was an answer. */
  status: number;
  /** As `x-request-id` names it. */
  request: string;
  headers: IncomingMessage['headers'];
  text(): string;
  /** Content chunks that have come. */
  tokens(): number;
  /** `whole`: with everything that was announced; `cut`: without. */
  ended: Promise<'whole' | 'cut'>;
  destroy(): void;
}>;

/** What every one of them asks. */
export const messages = [{role: 'user', content: 'Say something.'}] as const;

export const openStream = ({
  url,
  apiKey,
  model,
  maxTokens,
  stream = true,
  timeoutMs = 60_000,
  host,
}: {
  url: string;
  apiKey: string;
  model: string;
  maxTokens: number;
  stream?: boolean;
  /** Whatever has not ended by then is cut: a test of hanging counts on it. */
  timeoutMs?: number;
  /** The name that it is asked for by, where the URL is that of an ingress. */
  host?: string | undefined;
}): Promise<Stream> =>
  new Promise(resolve => {
    const ended = Promise.withResolvers<'whole' | 'cut'>();
    let text = '';
    const body = JSON.stringify({
      model,
      stream,
      max_tokens: maxTokens,
      messages,
    });
    const call = sendRequest(`${url}/v1/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: {
        authorization: `Bearer ${apiKey}`,
        'content-type': 'application/json',
        ...(host === undefined ? {} : {host}),
      },
    });
    const timer = setTimeout(
      () => call.destroy(new Error('the test waited long enough')),
      timeoutMs,
    );
    const settle = (how: 'whole' | 'cut') => {
      clearTimeout(timer);
      ended.resolve(how);
    };
    const result = (answer: IncomingMessage | undefined): Stream => ({
      status: answer?.statusCode ?? 0,
      request: String(answer?.headers['x-request-id'] ?? ''),
      headers: answer?.headers ?? {},
      text: () => text,
      tokens: () => text.split('"content":"').filter(part => /^[^"]/.test(part)).length - 1,
      ended: ended.promise,
      destroy: () => call.destroy(),
    });
    call.on('error', () => {
      settle('cut');
      resolve(result(undefined));
    });
    call.on('response', answer => {
      answer.setEncoding('utf8');
      answer.on('data', (part: string) => {
        text += part;
        resolve(result(answer));
      });
      answer.on('error', () => {});
      answer.on('close', () => {
        const isWhole =
          answer.complete &&
          (!stream || answer.statusCode !== 200 || text.includes('data: [DONE]'));
        settle(isWhole ? 'whole' : 'cut');
        resolve(result(answer));
      });
    });
    call.end(body);
  });
