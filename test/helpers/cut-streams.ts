/**
Cut streams: clients that go away from a streamed answer, each at a place of its own.

In: where, whose key, a source of randomness. Out: how many of each kind there were. A client here is a bare socket, so that it
goes between two bytes and not between two events, and so that it can stop reading without going.
*/
import {connect} from 'node:net';

export type Cut =
  /** After so many milliseconds, whatever has come. */
  | Readonly<{kind: 'time'; ms: number}>
  /** With so many bytes of the answer, headers included. */
  | Readonly<{kind: 'bytes'; count: number}>
  /** When so many events have come. */
  | Readonly<{kind: 'events'; count: number}>
  /** Reads so many bytes, then nothing for so long or until it is told, then goes. */
  | Readonly<{kind: 'stalled'; count: number; ms: number}>
  | Readonly<{kind: 'stalled'; count: number; until: Promise<void>}>
  /** Not at all. */
  | Readonly<{kind: 'never'}>;

export type CutStream = Readonly<{
  url: string;
  apiKey: string;
  model: string;
  maxTokens: number;
  choices: number;
  cut: Cut;
}>;

/** Between 0 and 1. */
export type Random = () => number;

/** Small, seeded, even: mulberry32. */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

export const integerFrom = (random: Random, from: number, to: number) =>
  from + Math.floor(random() * (to - from + 1));

const requestOf = ({url, apiKey, model, maxTokens, choices}: CutStream) => {
  const body = JSON.stringify({
    model,
    stream: true,
    max_tokens: maxTokens,
    ignore_eos: true,
    n: choices,
    messages: [{role: 'user', content: 'Say something.'}],
  });
  return (
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${new URL(url).host}\r\nauthorization: Bearer ${apiKey}\r\n` +
    `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  );
};

/** Resolves when its connection is gone, with the bytes that came. */
export const cutStream = (stream: CutStream): Promise<number> =>
  new Promise(resolve => {
    const {cut} = stream;
    const {hostname, port} = new URL(stream.url);
    const socket = connect({host: hostname, port: Number(port)});
    const timers: NodeJS.Timeout[] = [];
    let bytes = 0;
    let events = 0;
    let isStalled = false;
    const later = (ms: number) => timers.push(setTimeout(() => socket.destroy(), ms));
    socket.on('connect', () => {
      socket.write(requestOf(stream));
      if (cut.kind === 'time') {
        later(cut.ms);
      }
    });
    socket.on('data', part => {
      bytes += part.length;
      if (cut.kind === 'events') {
        events += part.toString('latin1').split('data: ').length - 1;
      }
      if (
        (cut.kind === 'bytes' && bytes >= cut.count) ||
        (cut.kind === 'events' && events >= cut.count)
      ) {
        socket.destroy();
      } else if (cut.kind === 'stalled' && bytes >= cut.count && !isStalled) {
        isStalled = true;
        socket.pause();
        if ('ms' in cut) {
          later(cut.ms);
        } else {
          void cut.until.then(() => socket.destroy());
        }
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      timers.forEach(clearTimeout);
      resolve(bytes);
    });
  });
