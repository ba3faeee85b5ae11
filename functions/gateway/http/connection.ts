/**
Connection: the life of one client's connection: requests one after the other, each with its answer (RFC 9112, 9).

In: bytes as they are read, ticks of its server's clock. Out: requests with their responses; a fault's answer where there is no request. A
request that was sent behind another waits until that is answered. Nothing is read on for somebody who takes nothing, and whoever is
slow is cut off: with a head, with a body, with taking the answer. A connection that we end is ended by half first, and what still comes
is thrown away for a moment: who has not read our answer would lose it by a reset.
*/
import type {Socket} from 'node:net';
import {SluiceError} from '../../../events/errors.ts';
import {createGatewayRequest, type GatewayRequest} from './request.ts';
import {RequestBody} from './request-body.ts';
import {mayBegin, notHttp, type RequestHead, readRequestHead} from './request-head.ts';
import {GatewayResponse, type Wire} from './response.ts';

/** What the connections of a server have in common. Ticks are its clock's. */
export type ConnectionParts = Readonly<{
  headBytesMax: number;
  /** A client that takes nothing of what waits for it for so long is cut off. */
  idleMs: number;
  keepSeconds: number;
  ticks: () => number;
  limits: Readonly<{
    headTicks: number;
    requestTicks: number;
    keepTicks: number;
    lingerTicks: number;
  }>;
  isClosing: () => boolean;
  onRequest: (request: GatewayRequest, response: GatewayResponse) => void;
  /** What a client is told of what is no request, and with it the connection ends. */
  answerFault: (fault: SluiceError) => string;
  onGone: (connection: HttpConnection) => void;
}>;

const blankLine = '\r\n\r\n';
/** So much is read ahead of requests that wait. */
const waitingMax = 65_536;
const empty = Buffer.alloc(0);

const late = () => new SluiceError('request_timeout', 'the request did not arrive in time');
const left = () =>
  new SluiceError('request_timeout', 'the client left before its body was complete');

/** `fresh`: no byte ever came; `leaving`: we have said the last word. */
type Phase = 'fresh' | 'idle' | 'head' | 'request' | 'leaving';

export class HttpConnection implements Wire {
  readonly #socket: Socket;
  readonly #parts: ConnectionParts;
  #phase: Phase = 'fresh';
  /** Since when it waits for what it waits for. */
  #sinceTick: number;
  /** What was read and not yet understood. */
  #rest: Buffer = empty;
  #head: RequestHead | undefined;
  #body: RequestBody | undefined;
  #response: GatewayResponse | undefined;
  /** Something of an answer waits, and its client is watched. */
  #isWatched = false;
  #isUnderstanding = false;
  #isPaused = false;

  constructor(socket: Socket, parts: ConnectionParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#sinceTick = parts.ticks();
    socket
      .on('data', bytes => this.#read(bytes as Buffer))
      .on('drain', () => this.#response?.drained())
      .on('end', () => this.#end())
      .on('timeout', () => this.#untaken())
      // What follows is its close.
      .on('error', () => {})
      .on('close', () => this.#closed());
  }

  get isIdle(): boolean {
    return this.#phase === 'idle' && this.#rest.length === 0;
  }

  get keepSeconds(): number {
    return this.#parts.keepSeconds;
  }

  #read(bytes: Buffer) {
    if (this.#phase !== 'leaving') {
      this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
      this.#understand();
    }
  }

  #understand() {
    // An answer that is given at once comes back here, for the next request.
    if (this.#isUnderstanding) {
      return;
    }
    this.#isUnderstanding = true;
    let goesOn = true;
    while (goesOn && this.#rest.length > 0) {
      goesOn = this.#step();
    }
    this.#isUnderstanding = false;
    this.#keepPace();
  }

  /** False: nothing of what is there can be understood now. */
  #step(): boolean {
    const body = this.#body;
    switch (this.#phase) {
      case 'leaving':
        this.#rest = empty;
        return false;
      case 'request':
        if (!body || body.complete || body.hasFailed) {
          return false;
        }
        this.#takeBody(body);
        return true;
      default:
        return this.#readHead();
    }
  }

  #takeBody(body: RequestBody) {
    const used = body.take(this.#rest);
    this.#rest = used === this.#rest.length ? empty : this.#rest.subarray(used);
    this.#goOn();
  }

  #readHead(): boolean {
    const bytes = this.#rest;
    // Empty lines before a request are none (RFC 9112, 2.2).
    if (bytes[0] === 13 && (bytes.length === 1 || bytes[1] === 10)) {
      this.#rest = bytes.subarray(2);
      return bytes.length > 1;
    }
    if (this.#phase !== 'head') {
      this.#phase = 'head';
      this.#sinceTick = this.#parts.ticks();
    }
    const end = bytes.indexOf(blankLine, 0, 'latin1');
    if ((end < 0 ? bytes.length : end) > this.#parts.headBytesMax) {
      this.#refuse(new SluiceError('headers_too_large', 'the request headers are over the limit'));
      return false;
    }
    if (end < 0) {
      if (!mayBegin(bytes.toString('latin1'))) {
        this.#refuse(notHttp());
      }
      return false;
    }
    let head: RequestHead;
    try {
      head = readRequestHead(bytes.toString('latin1', 0, end));
    } catch (fault) {
      this.#refuse(fault as SluiceError);
      return false;
    }
    this.#rest = bytes.subarray(end + blankLine.length);
    this.#begin(head);
    return true;
  }

  #begin(head: RequestHead) {
    const body = new RequestBody(head.body);
    const response = new GatewayResponse(this, head);
    this.#phase = 'request';
    this.#head = head;
    this.#body = body;
    this.#response = response;
    if (!body.complete && this.#rest.length > 0) {
      this.#takeBody(body);
    }
    this.#parts.onRequest(
      createGatewayRequest(head, body, this.#socket.remoteAddress, () => this.#wanted()),
      response,
    );
  }

  /** Its body is waited for. */
  #wanted() {
    if (
      this.#head?.expectsContinue &&
      this.#response?.headersSent === false &&
      this.#body?.hasFailed === false
    ) {
      this.#head = {...this.#head, expectsContinue: false};
      this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
    }
    this.#keepPace();
  }

  /** Not where what is still to come of the body may be much, or nothing, as its client likes. */
  mayPersist(): boolean {
    const [head, body] = [this.#head, this.#body];
    return (
      head?.persistent === true &&
      body?.hasFailed === false &&
      (body.complete || !(head.expectsContinue || body.mayBeMuch)) &&
      !this.#parts.isClosing()
    );
  }

  #keepPace() {
    const isFull = this.#rest.length > waitingMax || this.#body?.isAhead === true;
    if (isFull !== this.#isPaused && this.#phase !== 'leaving') {
      this.#isPaused = isFull;
      if (isFull) {
        this.#socket.pause();
      } else {
        this.#socket.resume();
      }
    }
  }

  write(content: string | Buffer): boolean {
    const socket = this.#socket;
    if (socket.writableEnded) {
      // Its client is as good as gone.
      return false;
    }
    const goesOn =
      typeof content === 'string' ? socket.write(content, 'latin1') : socket.write(content);
    if (socket.writableLength > 0 && !this.#isWatched) {
      this.#isWatched = true;
      socket.setTimeout(this.#parts.idleMs);
    }
    return goesOn;
  }

  writableLength(): number {
    return this.#socket.writableLength;
  }

  /** Nothing of what waits was taken. */
  #untaken() {
    if (this.#socket.writableLength > 0) {
      this.#socket.destroy();
    }
  }

  ended() {
    if (this.#socket.writableLength === 0) {
      this.#finish();
    } else {
      this.#socket.write(empty, () => this.#finish());
    }
  }

  /** The answer was given to the system, all of it. */
  #finish() {
    const response = this.#response;
    if (!response || this.#socket.destroyed) {
      return;
    }
    this.#unwatch();
    this.#body?.forget();
    if (!response.persists) {
      this.#leave();
    }
    response.closed(true);
    this.#goOn();
    if (this.#rest.length > 0) {
      // Not within the end of the one before.
      setImmediate(() => this.#understand());
    }
  }

  /** Answered, and its body was read: the next one may come. */
  #goOn() {
    if (this.#phase !== 'request' || !this.#response?.writableFinished) {
      return;
    }
    if (this.#body?.hasFailed) {
      this.#leave();
    } else if (this.#body?.complete) {
      this.#response = undefined;
      this.#body = undefined;
      this.#head = undefined;
      this.#phase = 'idle';
      this.#sinceTick = this.#parts.ticks();
    }
  }

  #unwatch() {
    if (this.#isWatched) {
      this.#isWatched = false;
      this.#socket.setTimeout(0);
    }
  }

  /** There is no request to answer. */
  #refuse(fault: SluiceError) {
    this.write(this.#parts.answerFault(fault));
    this.#leave();
  }

  /** The last word was said. */
  #leave() {
    this.#phase = 'leaving';
    this.#sinceTick = this.#parts.ticks();
    this.#rest = empty;
    this.#socket.end();
    this.#socket.resume();
  }

  /** The client writes nothing more. As it comes with a client that is gone it is taken for that, as node does. */
  #end() {
    if (this.#phase === 'head') {
      this.#refuse(notHttp());
    } else if (this.#socket.writableLength > 0) {
      this.#socket.end();
    } else {
      this.#socket.destroy();
    }
  }

  destroy() {
    this.#socket.destroy();
  }

  #closed() {
    this.#phase = 'leaving';
    this.#body?.fail(left());
    const response = this.#response;
    this.#response = undefined;
    if (response && !response.writableFinished) {
      response.closed(false);
    }
    this.#parts.onGone(this);
  }

  /** By its server's clock. */
  check() {
    const {ticks, limits} = this.#parts;
    const waited = ticks() - this.#sinceTick;
    switch (this.#phase) {
      case 'fresh':
      case 'head':
        if (waited > limits.headTicks) {
          this.#refuse(late());
        }
        return;
      case 'idle':
        if (waited > limits.keepTicks) {
          this.#socket.destroy();
        }
        return;
      case 'leaving':
        if (waited > limits.lingerTicks && this.#socket.writableLength === 0) {
          this.#socket.destroy();
        }
        return;
      default:
        if (waited > limits.requestTicks && this.#body && !this.#body.complete) {
          this.#lateBody(this.#body);
        }
    }
  }

  #lateBody(body: RequestBody) {
    body.fail(late());
    // Answered before: nobody is there to be told.
    if (this.#response?.headersSent) {
      this.#socket.destroy();
    }
  }
}
