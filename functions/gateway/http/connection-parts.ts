/**
Connection parts: what the connections of a server have in common.
*/
import type {SluiceError} from '../../../events/errors.ts';
import type {HttpConnection} from './connection.ts';
import type {GatewayRequest} from './request.ts';
import type {GatewayResponse} from './response.ts';

/** Ticks are the server's clock's. */
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
