/**
Plain connection: one kept connection to a model server that speaks HTTP/1.1 without TLS, and the call that runs on it.

In: calls, one after the other; bytes as they are read. Out: the events of undici's handlers, in its order, with its errors, so that
whoever calls need not know which of the two carried a call. One write a request, one piece of data a read, no timer of its own: its
pool's clock ticks for all of them. Any doubt about where an answer ends closes the connection.
*/
import {connect, type Socket} from 'node:net';
import {type Dispatcher, errors} from 'undici';
import {type AnswerHead, readAnswerHead} from './answer-head.ts';
import {type Chunks, createChunks} from './chunks.ts';

export type PlainRequest = Readonly<{
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
}>;

/** What the connections of a pool have in common. Ticks are the clock's; what is counted in them may end a tick late. */
export type PlainPool = Readonly<{
  host: string;
  port: number;
  hostHeader: string;
  ticks: () => number;
  limits: Readonly<{
    connectTicks: number;
    firstByteTicks: number;
    idleTicks: number;
    keepTicks: number;
    ticksOf: (ms: number) => number;
  }>;
  /** Where reads go; whoever keeps bytes copies them. */
  room: () => Buffer;
  /** It may be used again. */
  onFree: (connection: PlainConnection) => void;
  onGone: (connection: PlainConnection) => void;
}>;

const headBytesMax = 16_384;
/** In one piece with its head; a longer one is not worth a copy. */
const copiedBodyMax = 65_536;
const empty = Buffer.alloc(0);
const blankLine = '\r\n\r\n';
const illegal = /[^\t\x20-\x7e]/;

/** A call and its way to pause, go on and end; nothing of it reaches the connection once it is over. */
class PlainCall implements Dispatcher.DispatchController {
  connection: PlainConnection | undefined;
  paused = false;
  aborted = false;
  reason: Error | null = null;
  readonly request: PlainRequest;
  readonly handler: Dispatcher.DispatchHandler;

  constructor(request: PlainRequest, handler: Dispatcher.DispatchHandler) {
    this.request = request;
    this.handler = handler;
  }

  pause() {
    this.paused = true;
    this.connection?.pause();
  }

  resume() {
    if (this.paused) {
      this.paused = false;
      this.connection?.resume();
    }
  }

  abort(reason: Error) {
    if (!this.aborted && this.connection) {
      this.aborted = true;
      this.reason = reason;
      this.connection.fail(reason);
    }
  }
}

export class PlainConnection {
  readonly #pool: PlainPool;
  readonly #socket: Socket;
  #call: PlainCall | undefined;
  #isConnected = false;
  #isGone = false;
  /** Its writing half is closed: nothing can be asked any more. */
  #isLeft = false;
  #isReading = false;
  /** What was read and is not yet understood: half a head, or what came while its reader paused. */
  #rest: Buffer = empty;
  #hasEnded = false;
  #head: AnswerHead | undefined;
  #left = 0;
  #chunks: Chunks | undefined;
  #headBytes = 0;
  /** Since when it waits for what it waits for. */
  #sinceTick: number;
  #keepTicks: number;

  constructor(pool: PlainPool) {
    this.#pool = pool;
    this.#sinceTick = pool.ticks();
    this.#keepTicks = pool.limits.keepTicks;
    this.#socket = connect({
      host: pool.host,
      port: pool.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      onread: {
        buffer: pool.room(),
        callback: (bytes, buffer) => this.#read(buffer as Buffer, bytes),
      },
    });
    this.#socket
      .on('connect', () => this.#connected())
      .on('end', () => this.#end())
      .on('error', error => this.fail(error))
      .on('close', () => this.fail(new errors.SocketError('other side closed')));
  }

  /** Its own, whose end is told to the handler whatever becomes of it. */
  send(request: PlainRequest, handler: Dispatcher.DispatchHandler) {
    const call = new PlainCall(request, handler);
    this.#call = call;
    this.#sinceTick = this.#pool.ticks();
    if (this.#isConnected) {
      this.#begin(call);
    }
  }

  #connected() {
    this.#isConnected = true;
    if (this.#call) {
      this.#begin(this.#call);
    }
  }

  #begin(call: PlainCall) {
    call.connection = this;
    this.#head = undefined;
    this.#chunks = undefined;
    this.#headBytes = 0;
    this.#sinceTick = this.#pool.ticks();
    try {
      call.handler.onRequestStart?.(call, undefined);
      if (this.#call === call) {
        this.#write(call.request);
      }
    } catch (error) {
      this.fail(error as Error);
    }
  }

  #write({path, headers, body}: PlainRequest) {
    let head = `POST ${path} HTTP/1.1\r\nhost: ${this.#pool.hostHeader}\r\nconnection: keep-alive\r\n`;
    for (const name in headers) {
      const value = headers[name] as string;
      if (illegal.test(value)) {
        throw new errors.InvalidArgumentError(`invalid ${name} header`);
      }
      head += `${name}: ${value}\r\n`;
    }
    head += `content-length: ${body.length}\r\n\r\n`;
    if (body.length > copiedBodyMax) {
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body);
      this.#socket.uncork();
      return;
    }
    const bytes = Buffer.allocUnsafe(head.length + body.length);
    bytes.write(head, 0, 'latin1');
    bytes.set(body, head.length);
    this.#socket.write(bytes);
  }

  /** False stops the reading. */
  #read(buffer: Buffer, bytes: number): boolean {
    if (this.#head) {
      this.#sinceTick = this.#pool.ticks();
    }
    if (!this.#call) {
      // Nobody asked: whose answer it would be taken for is not known.
      this.#close();
      return false;
    }
    if (this.#rest.length > 0) {
      this.#rest = Buffer.concat([this.#rest, buffer.subarray(0, bytes)]);
      this.#goOn();
    } else {
      const call = this.#call;
      const used = this.#understand(buffer, 0, bytes);
      // Its call may be over, and another one begun.
      if (used < bytes && this.#call === call) {
        this.#rest = Buffer.from(buffer.subarray(used, bytes));
      }
    }
    return !this.#call?.paused;
  }

  /** What waits. */
  #goOn() {
    const waiting = this.#rest;
    const call = this.#call;
    this.#rest = empty;
    const used = this.#understand(waiting, 0, waiting.length);
    if (used < waiting.length && this.#call === call) {
      this.#rest = waiting.subarray(used);
    }
  }

  /** How much of the bytes is done with. */
  #understand(bytes: Buffer, from: number, to: number): number {
    const call = this.#call as PlainCall;
    let at = from;
    this.#isReading = true;
    try {
      while (this.#call === call && !call.paused) {
        if (!this.#head) {
          const end = this.#readHead(call, bytes, at, to);
          if (end < 0) {
            break;
          }
          at = end;
        } else if (this.#isOver()) {
          this.#complete(call, at < to);
        } else if (at < to) {
          at = this.#readBody(call, bytes, at, to);
        } else {
          break;
        }
      }
    } catch (error) {
      // Not that of another call, which may have begun when this one was over.
      if (this.#call === call) {
        this.fail(error as Error);
      }
    }
    this.#isReading = false;
    return at;
  }

  /** Where it ends; -1: it is not there yet. */
  #readHead(call: PlainCall, bytes: Buffer, from: number, to: number): number {
    const found = bytes.indexOf(blankLine, from, 'latin1');
    // The room may hold more of an earlier read.
    const end = found + blankLine.length > to ? -1 : found;
    const length = (end < 0 ? to : end) - from;
    if (this.#headBytes + length > headBytesMax) {
      throw new errors.HeadersOverflowError();
    }
    if (end < 0) {
      return -1;
    }
    this.#headBytes += length + blankLine.length;
    const head = readAnswerHead(bytes.toString('latin1', from, end));
    if (head.status === 101) {
      throw new errors.SocketError('bad upgrade');
    }
    if (head.status >= 200) {
      this.#head = head;
      this.#sinceTick = this.#pool.ticks();
      this.#left = typeof head.framing === 'number' ? head.framing : 0;
      this.#chunks = head.framing === 'chunked' ? createChunks() : undefined;
    }
    call.handler.onResponseStart?.(call, head.status, head.headers);
    return end + blankLine.length;
  }

  #isOver(): boolean {
    if (this.#chunks) {
      return this.#chunks.isOver();
    }
    return this.#head?.framing === 'close' ? this.#hasEnded : this.#left === 0;
  }

  #readBody(call: PlainCall, bytes: Buffer, from: number, to: number): number {
    if (this.#chunks) {
      const {data, used} = this.#chunks.push(bytes, from, to);
      if (data.length > 0) {
        call.handler.onResponseData?.(call, data);
      }
      return from + used;
    }
    const isClosed = this.#head?.framing === 'close';
    const end = isClosed ? to : Math.min(from + this.#left, to);
    this.#left -= isClosed ? 0 : end - from;
    call.handler.onResponseData?.(call, Buffer.from(bytes.subarray(from, end)));
    return end;
  }

  #complete(call: PlainCall, isFollowed: boolean) {
    const {persistent, keepAliveSeconds, framing} = this.#head as AnswerHead;
    this.#call = undefined;
    this.#head = undefined;
    this.#rest = empty;
    call.connection = undefined;
    const {limits} = this.#pool;
    // Two seconds before the server does, as undici.
    const keptTicks =
      keepAliveSeconds === undefined
        ? limits.keepTicks
        : limits.ticksOf((keepAliveSeconds - 2) * 1_000);
    const isDoubtful =
      isFollowed || !persistent || framing === 'close' || this.#socket.writableLength > 0;
    if (isDoubtful || keptTicks <= 0 || this.#hasEnded) {
      this.#close();
    } else if (!this.#isLeft) {
      this.#keepTicks = keptTicks;
      this.#sinceTick = this.#pool.ticks();
      this.#pool.onFree(this);
    }
    // Last: another call may begin in it, on this connection.
    call.handler.onResponseEnd?.(call, {});
  }

  #end() {
    this.#hasEnded = true;
    const call = this.#call;
    if (call && this.#head?.framing === 'close') {
      if (!call.paused) {
        this.#goOn();
      }
      return;
    }
    this.fail(new errors.SocketError('other side closed'));
  }

  /** Its call, where one runs, ends by this error. */
  fail(error: Error) {
    const call = this.#call;
    this.#call = undefined;
    this.#close();
    if (call) {
      call.connection = undefined;
      call.handler.onResponseError?.(call, error);
    }
  }

  #close() {
    if (!this.#isGone) {
      this.#isGone = true;
      this.#rest = empty;
      this.#socket.destroy();
      this.#pool.onGone(this);
    }
  }

  pause() {
    if (!this.#isReading) {
      this.#socket.pause();
    }
  }

  resume() {
    if (this.#isReading) {
      return;
    }
    this.#sinceTick = this.#pool.ticks();
    // Also with nothing left to read: the end of an answer may be what waited.
    this.#goOn();
    if (!this.#call?.paused && !this.#isGone) {
      this.#socket.resume();
    }
  }

  /** Looked at now and then by its pool. */
  check() {
    const {limits, ticks} = this.#pool;
    const waited = ticks() - this.#sinceTick;
    if (!this.#isConnected) {
      if (waited > limits.connectTicks) {
        this.fail(new errors.ConnectTimeoutError('the connection was not made in time'));
      }
    } else if (!this.#call) {
      if (waited >= this.#keepTicks && !this.#isLeft) {
        this.#close();
      }
    } else if (!this.#head) {
      if (waited > limits.firstByteTicks) {
        this.fail(new errors.HeadersTimeoutError());
      }
    } else if (waited > limits.idleTicks && !this.#call.paused) {
      this.fail(new errors.BodyTimeoutError());
    }
  }

  /** Its socket, of which nothing more is written; undefined where the request is still being written, or nothing is connected. */
  closeHalf(): Socket | undefined {
    if (!this.#isConnected || this.#socket.destroyed || this.#socket.writableLength > 0) {
      return undefined;
    }
    this.#isLeft = true;
    this.#socket.end();
    return this.#socket;
  }

  isBusy = (): boolean => this.#call !== undefined;
}
