/**
Crowd child: thousands of clients with a stream each, in a process of their own, on bare sockets.

In: messages of its parent: streams to open, streams to cut, a question. Out: the answer to each. A client that is cut goes without a
word, half of them with a reset.
*/
import {connect, type Socket} from 'node:net';
import type {CrowdMessage, CrowdStream} from './crowd.ts';

type Client = CrowdStream & {-readonly [Name in keyof CrowdStream]: CrowdStream[Name]} & {
  socket: Socket;
  rest: string;
};

const clients: Client[] = [];
/** As a handful of load balancers open them; one process cannot do more at a time anyway. */
const atOnce = 200;
const content = /"content":"[^"]/g;
const restMax = 64;

const requestOf = (host: string, apiKey: string, model: string, maxTokens: number) => {
  const messages = [{role: 'user', content: 'Say something.'}];
  const body = JSON.stringify({model, stream: true, max_tokens: maxTokens, messages});
  return (
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${apiKey}\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`
  );
};

/** Resolves with the first byte of the answer, or when there will be none. */
const open = (url: URL, request: string) =>
  new Promise<void>(resolve => {
    const socket = connect({host: url.hostname, port: Number(url.port)});
    const client: Client = {
      socket,
      rest: '',
      status: 0,
      request: '',
      tokens: 0,
      how: 'open',
    };
    clients.push(client);
    socket.once('connect', () => socket.write(request));
    socket.on('data', part => {
      take(client, part.toString('latin1'));
      resolve();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (client.how === 'open') {
        client.how = /data: \[DONE\]\n\n\r\n0\r\n\r\n$/.test(client.rest) ? 'whole' : 'broken';
      }
      resolve();
    });
  });

const take = (client: Client, text: string) => {
  if (client.status === 0) {
    client.status = Number(text.slice(9, 12));
    client.request = /x-request-id: (\S+)/i.exec(text)?.[1] ?? '';
  }
  const all = client.rest + text;
  let end = 0;
  for (const match of all.matchAll(content)) {
    client.tokens += 1;
    end = match.index + match[0].length;
  }
  client.rest = all.slice(Math.max(end, all.length - restMax));
};

const openAll = async ({url, apiKey, model, maxTokens}: CrowdMessage<'open'>) => {
  const left = [...maxTokens];
  const place = new URL(url);
  await Promise.all(
    Array.from({length: atOnce}, async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        await open(place, requestOf(place.host, apiKey, model, next));
      }
    }),
  );
};

/** Each at a moment of its own, evenly within the time. */
const cut = ({from, to, withinMs}: CrowdMessage<'cut'>) =>
  Promise.all(
    clients.slice(from, to).map(
      (client, index) =>
        new Promise<void>(resolve => {
          setTimeout(() => {
            if (client.how === 'open') {
              client.how = 'cut';
              index % 2 === 0 ? client.socket.destroy() : client.socket.resetAndDestroy();
            }
            resolve();
          }, Math.random() * withinMs);
        }),
    ),
  );

const answerTo = async (message: CrowdMessage) => {
  if (message.what === 'open') {
    return openAll(message);
  }
  if (message.what === 'cut') {
    return cut(message);
  }
  return clients.map(({status, request, tokens, how}) => ({status, request, tokens, how}));
};

process.on('message', async (message: CrowdMessage & {ask: number}) => {
  process.send?.({ask: message.ask, answer: (await answerTo(message)) ?? null});
});
process.once('disconnect', () => process.exit(0));
