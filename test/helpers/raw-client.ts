/**
Raw client: a request on a bare socket, for clients that read slowly, say half of what they should, or go without a word.

In: where, whose key, the body. Out: the socket, paused, with the request written or half of it.
*/
import {connect, type Socket} from 'node:net';

export const bodyOf = (model: string, more: object) =>
  JSON.stringify({model, messages: [{role: 'user', content: 'Say something.'}], ...more});

export const openRaw = (
  {url, apiKey, body}: {url: string; apiKey: string; body: string},
  /** So much of the body; the head announces all of it. */
  share = 1,
): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const {hostname, port, host} = new URL(url);
    const socket = connect({host: hostname, port: Number(port)});
    socket.pause();
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.on('error', () => {});
      socket.write(
        `POST /v1/chat/completions HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${apiKey}\r\n` +
          `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n` +
          body.slice(0, body.length * share),
        () => resolve(socket),
      );
    });
  });
