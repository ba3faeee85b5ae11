/**
Request: what the gateway sees of a request: its head, and its body where somebody wants it.

In: its head and its body on its connection. Out: one object that lives as long as its answer, so it keeps no more than is asked for.
*/
import type {RequestBody} from './request-body.ts';
import type {RequestHead} from './request-head.ts';

export type GatewayRequest = Readonly<{
  method: string;
  url: string;
  headers: RequestHead['headers'];
  headerCount: number;
  versionMinor: 0 | 1;
  /** Undefined where the connection is gone. */
  remoteAddress: string | undefined;
  /** Once. Rejects where it is larger, late, broken off or no body. */
  body(bytesMax: number): Promise<Buffer>;
}>;

export const createGatewayRequest = (
  {method, target, headers, headerCount, versionMinor}: RequestHead,
  body: RequestBody,
  remoteAddress: string | undefined,
  onWanted: () => void,
): GatewayRequest => ({
  method,
  url: target,
  headers,
  headerCount,
  versionMinor,
  remoteAddress,
  body(bytesMax) {
    const whole = body.want(bytesMax);
    if (!body.complete) {
      onWanted();
    }
    return whole;
  },
});
