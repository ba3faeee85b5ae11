/**
Plain connection: one kept connection to a model server that speaks HTTP/1.1 without TLS, and the call that runs on it.

In: calls, one after the other; bytes as they are read. Out: the events of undici's handlers, in its order, with its errors, so that
whoever calls need not know which of the two carried a call. One write a request, one piece of data a read, no timer of its own: its
pool's clock ticks for all of them. Any doubt about where an answer ends closes the connection.
*/
import {connect, type Socket} from 'node:net';
import {type Dispatcher, errors} from 'undici';
import type {AnswerHead} from './answer-head.ts';
import {type AnswerReader, createAnswerReader} from './answer-reader.ts';
import {createCall, type PlainCall, type PlainRequest} from './call.ts';
import {writeRequest} from './request.ts';

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

const empty = Buffer.alloc(0);

export class PlainConnection {
  readonly #pool: PlainPool;
  readonly #socket: Socket;
  readonly #reader: AnswerReader;
  #call: PlainCall | undefined;
  /** Whose bytes are being understood now. */
  #reading: PlainCall | undefined;
  #isConnected = false;
  #isGone = false;
  /** Its writing half is closed: nothing can be asked any more. */
  #isLeft = false;
  /** What was read and is not yet understood: half a head, or what came while its reader paused. */
  #rest: Buffer = empty;
  /** Since when it waits for what it waits for. */
  #sinceTick: number;
  #keepTicks: number;

  constructor(pool: PlainPool) {
    this.#pool = pool;
    this.#sinceTick = pool.ticks();
    this.#keepTicks = pool.limits.keepTicks;
    this.#reader = createAnswerReader({
      head: head => this.#tellHead(head),
      data: bytes => this.#call?.handler.onResponseData?.(this.#call, bytes),
      goesOn: () => this.#call === this.#reading && !this.#call?.paused,
    });
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

  send(request: PlainRequest, handler: Dispatcher.DispatchHandler) {
    const call = createCall(request, handler);
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
    call.carrier = this;
    this.#reader.begin();
    this.#sinceTick = this.#pool.ticks();
    try {
      call.handler.onRequestStart?.(call, undefined);
      const {request} = call;
      call.request = undefined;
      if (request && this.#call === call) {
        writeRequest(this.#socket, this.#pool.hostHeader, request);
      }
    } catch (error) {
      this.fail(error as Error);
    }
  }

  /** False stops the reading. */
  #read(buffer: Buffer, bytes: number): boolean {
    const call = this.#call;
    if (!call) {
      // Nobody asked: whose answer it would be taken for is not known.
      this.#close();
      return false;
    }
    if (this.#reader.head()) {
      this.#sinceTick = this.#pool.ticks();
    }
    if (this.#rest.length > 0) {
      this.#rest = Buffer.concat([this.#rest, buffer.subarray(0, bytes)]);
      this.#goOn();
      return !this.#call?.paused;
    }
    const used = this.#understand(buffer, bytes);
    // Its call may be over, and another one begun.
    if (used < bytes && this.#call === call) {
      this.#rest = Buffer.from(buffer.subarray(used, bytes));
    }
    return !this.#call?.paused;
  }

  /** What waits. */
  #goOn() {
    const waiting = this.#rest;
    const call = this.#call;
    this.#rest = empty;
    const used = this.#understand(waiting, waiting.length);
    if (used < waiting.length && this.#call === call) {
      this.#rest = waiting.subarray(used);
    }
  }

  /** How much of the bytes is done with. */
  #understand(bytes: Buffer, length: number): number {
    const call = this.#call;
    let used = 0;
    this.#reading = call;
    try {
      used = this.#reader.push(bytes, 0, length);
      if (call && this.#call === call && !call.paused && this.#reader.isOver()) {
        this.#complete(call, used < length);
      }
    } catch (error) {
      // Not that of another call, which may have begun when this one was over.
      if (this.#call === call) {
        this.fail(error as Error);
      }
    }
    this.#reading = undefined;
    return used;
  }

  #tellHead({status, headers}: AnswerHead) {
    if (status >= 200) {
      this.#sinceTick = this.#pool.ticks();
    }
    this.#call?.handler.onResponseStart?.(this.#call, status, headers);
  }

  #complete(call: PlainCall, isFollowed: boolean) {
    const {persistent, keepAliveSeconds, framing} = this.#reader.head() as AnswerHead;
    this.#call = undefined;
    this.#rest = empty;
    call.carrier = undefined;
    const {limits} = this.#pool;
    // Two seconds before the server does, as undici.
    const keptTicks =
      keepAliveSeconds === undefined
        ? limits.keepTicks
        : limits.ticksOf((keepAliveSeconds - 2) * 1_000);
    const isDoubtful =
      isFollowed || !persistent || framing === 'close' || this.#socket.writableLength > 0;
    if (isDoubtful || keptTicks <= 0 || this.#reader.hasEnded()) {
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
    if (this.#reader.end() && this.#call) {
      if (!this.#call.paused) {
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
      call.carrier = undefined;
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
    // While a read is being understood its own end stops the reading.
    if (!this.#reading) {
      this.#socket.pause();
    }
  }

  resume() {
    if (this.#reading) {
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
    } else if (!this.#reader.head()) {
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
}
