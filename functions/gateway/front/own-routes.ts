/**
Own routes: what orchestrators and scrapers ask, without a key. `/v1/status/…` is the same for who reaches only `/v1` from outside.

In: a path. Out: an answer, or false where it is none of them.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {GatewayResponse} from '../http/response.ts';
import type {Health} from '../observe/degradation-watch.ts';
import {sendJson} from './respond.ts';

export type OwnParts = Readonly<{
  metrics: Pick<Metrics, 'text'>;
  health: () => Health;
  isDraining: () => boolean;
}>;

const sendHealth = ({health}: OwnParts, response: GatewayResponse) => {
  const found = health();
  sendJson(response, found.status === 'unavailable' ? 503 : 200, found);
};

// A pod that refuses is ready all the same: with none ready, whatever stands before it would hold requests, not refuse them.
const sendReadiness = ({isDraining}: OwnParts, response: GatewayResponse) => {
  const status = isDraining() ? 503 : 200;
  sendJson(response, status, {status: status === 200 ? 'ok' : 'draining'});
};

const sendMetrics = ({metrics}: OwnParts, response: GatewayResponse) => {
  response.writeHead(200, {'content-type': 'text/plain; version=0.0.4'});
  response.end(metrics.text());
};

const own: ReadonlyMap<string, (parts: OwnParts, response: GatewayResponse) => void> = new Map([
  ['/healthz', sendHealth],
  ['/health', sendHealth],
  ['/v1/status/healthz', sendHealth],
  ['/readyz', sendReadiness],
  ['/v1/status/readyz', sendReadiness],
  ['/metrics', sendMetrics],
]);

export const answerOwn = (
  parts: OwnParts,
  {path, method}: {path: string; method: string | undefined},
  response: GatewayResponse,
): boolean => {
  const answer = own.get(path);
  if (!answer) {
    return false;
  }
  if (method !== 'GET' && method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    throw new SluiceError('method_not_allowed', 'this route takes GET');
  }
  answer(parts, response);
  return true;
};
