/**
Raw socket: a client that sends what no HTTP library would.

In: a server's URL, bytes, perhaps more of them later. Out: all that came back until the server closed the connection.
*/
import {once} from 'node:events';
import {connect, type Socket} from 'node:net';
import type {ExecutionContext} from 'ava';

export const openSocket = (t: Pick<ExecutionContext, 'teardown'>, url: string) => {
  const socket: Socket = connect(Number(new URL(url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  let answer = '';
  socket.on('data', data => {
    answer += data;
  });
  // Whoever is cut off while writing learns of it so.
  socket.on('error', () => {});
  const closed = once(socket, 'close').catch(() => {});
  return {
    socket,
    answer: () => answer,
    /** What came until the server closed. */
    closed: async () => {
      await closed;
      return answer;
    },
  };
};

export const speak = (t: Pick<ExecutionContext, 'teardown'>, url: string, text: string) => {
  const opened = openSocket(t, url);
  opened.socket.write(text);
  return opened.closed();
};
