/**
Kept alive: clients that keep their connection and ask one request after the other on it.

In: where, whose key. Out: of each request how far it came: a whole answer, none at all (not one byte), or a piece of one.
*/
import {Agent, type IncomingMessage, request as sendRequest} from 'node:http';

export type Reply = Readonly<{
  /** `none`: the connection was refused, or closed before there was a byte of an answer. */
  how: 'whole' | 'none' | 'broken';
  status: number;
  request: string;
  text: string;
  headers: IncomingMessage['headers'];
  /** Of `performance.now()`; the second is that of the end, however it ended. */
  sentMs: number;
  endedMs: number;
}>;
type Body = Readonly<{stream?: boolean; max_tokens: number}>;

export const openClient = ({url, apiKey, model}: {url: string; apiKey: string; model: string}) => {
  const agent = new Agent({keepAlive: true, maxSockets: 1});
  const ask = ({stream = false, max_tokens}: Body): Promise<Reply> =>
    new Promise(resolve => {
      const messages = [{role: 'user', content: 'Say something.'}];
      const body = JSON.stringify({model, stream, max_tokens, messages});
      const sentMs = performance.now();
      let text = '';
      const call = sendRequest(`${url}/v1/chat/completions`, {
        method: 'POST',
        agent,
        headers: {authorization: `Bearer ${apiKey}`, 'content-type': 'application/json'},
      });
      const reply = (how: Reply['how'], answer?: IncomingMessage) =>
        resolve({
          how,
          status: answer?.statusCode ?? 0,
          request: String(answer?.headers['x-request-id'] ?? ''),
          text,
          headers: answer?.headers ?? {},
          sentMs,
          endedMs: performance.now(),
        });
      call.on('error', () => reply('none'));
      call.on('response', answer => {
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
        });
        answer.on('error', () => {});
        answer.on('close', () => {
          const isStream = stream && answer.statusCode === 200;
          const isWhole = answer.complete && (!isStream || text.endsWith('data: [DONE]\n\n'));
          reply(isWhole ? 'whole' : 'broken', answer);
        });
      });
      call.end(body);
    });
  return {ask, close: () => agent.destroy()};
};

/** One request after the other, until the connection is refused or closed or it is told to stop. */
export const keepAsking = async (
  client: ReturnType<typeof openClient>,
  body: Body,
  isStopped: () => boolean,
): Promise<Reply[]> => {
  const replies: Reply[] = [];
  while (!isStopped()) {
    const reply = await client.ask(body);
    replies.push(reply);
    if (reply.how !== 'whole') {
      break;
    }
  }
  client.close();
  return replies;
};
