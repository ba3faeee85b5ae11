/**
Connection: the life of one client's connection: requests one after the other, each with its answer (RFC 9112, 9).

In: bytes as they are read, ticks of its server's clock. Out: requests with their responses; a fault's answer where there is no request. A
request that was sent behind another waits until that is answered. Nothing is read on for somebody who takes nothing, and whoever is
slow is cut off: with a head, with a body, with taking the answer. A connection that we end is ended by half first, and what still comes
is thrown away for a moment: who has not read our answer would lose it by a reset.
*/
import type {Socket} from 'node:net';
import {addressOf} from '../../../events/client-address.ts';
import {SluiceError} from '../../../events/errors.ts';
import type {ConnectionParts} from './connection-parts.ts';
import {createGatewayRequest} from './request.ts';
import type {RequestBody} from './request-body.ts';
import {notHttp, type RequestHead} from './request-head.ts';
import {type RequestListener, RequestReader} from './request-reader.ts';
import {GatewayResponse, type Wire} from './response.ts';

/** So much is read ahead of requests that wait. */
const waitingMax = 65_536;
const empty = Buffer.alloc(0);

const late = () => new SluiceError('request_timeout', 'the request did not arrive in time');
const left = () =>
  new SluiceError('request_timeout', 'the client left before its body was complete');

/** `fresh`: no byte ever came; `leaving`: we have said the last word. */
type Phase = 'fresh' | 'idle' | 'head' | 'request' | 'leaving';

export class HttpConnection implements Wire, RequestListener {
  readonly #socket: Socket;
  readonly #parts: ConnectionParts;
  readonly #reader: RequestReader;
  #phase: Phase = 'fresh';
  /** Since when it waits for what it waits for. */
  #sinceTick: number;
  #head: RequestHead | undefined;
  #body: RequestBody | undefined;
  #response: GatewayResponse | undefined;
  /** Something of an answer waits, and its client is watched. */
  #isWatched = false;
  #isPaused = false;

  constructor(socket: Socket, parts: ConnectionParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#sinceTick = parts.ticks();
    this.#reader = new RequestReader(this, parts.headBytesMax);
    socket
      .on('data', bytes => {
        this.#reader.push(bytes as Buffer);
        this.#keepPace();
      })
      .on('drain', () => this.#response?.drained())
      .on('end', () => this.#end())
      .on('timeout', () => this.#untaken())
      // What follows is its close.
      .on('error', () => {})
      .on('close', () => this.#closed());
  }

  get isIdle(): boolean {
    return this.#phase === 'idle' && this.#reader.waiting === 0;
  }

  get keepSeconds(): number {
    return this.#parts.keepSeconds;
  }

  /** By its reader. */
  begins() {
    this.#phase = 'head';
    this.#sinceTick = this.#parts.ticks();
  }

  /** By its reader. */
  request(head: RequestHead, body: RequestBody) {
    const response = new GatewayResponse(this, head);
    this.#phase = 'request';
    this.#head = head;
    this.#body = body;
    this.#response = response;
    this.#parts.onRequest(
      createGatewayRequest(head, body, addressOf(this.#socket), () => this.#wanted()),
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
    const isFull = this.#reader.waiting > waitingMax || this.#body?.isAhead === true;
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
    if (this.#socket.writableEnded) {
      // Not all of it was written; its close tells.
      return;
    }
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
    this.bodyCame();
  }

  /** By its reader: when it is answered too, the next one may come. */
  bodyCame() {
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
      this.#reader.next();
      if (this.#reader.waiting > 0) {
        // Not within the end of the one before.
        setImmediate(() => this.#readOn());
      }
    }
  }

  #readOn() {
    this.#reader.read();
    this.#keepPace();
  }

  #unwatch() {
    if (this.#isWatched) {
      this.#isWatched = false;
      this.#socket.setTimeout(0);
    }
  }

  /** There is no request to answer. */
  fault(fault: SluiceError) {
    this.write(this.#parts.answerFault(fault));
    this.#leave();
  }

  /** The last word was said. */
  #leave() {
    this.#phase = 'leaving';
    this.#sinceTick = this.#parts.ticks();
    this.#reader.stop();
    this.#socket.end();
    this.#socket.resume();
  }

  /** The client writes nothing more. As it comes with a client that is gone it is taken for that, as node does. */
  #end() {
    if (this.#phase === 'head') {
      this.fault(notHttp());
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
          this.fault(late());
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
