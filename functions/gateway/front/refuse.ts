/**
Refuse: what becomes of a request that was not sent upstream: its answer, its count, its line in the log, its row for who asks why.

In: what was thrown. Out: an error object of the route's API; or nothing but the count where the answer was written by hand.
*/
import {asSluiceError, type SluiceError} from '../../../events/errors.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Caller} from '../exchange/admitted.ts';
import type {GatewayRequest} from '../http/request.ts';
import type {GatewayResponse} from '../http/response.ts';
import {createRefusalLines} from '../observe/refusal-lines.ts';
import type {Known, Refusals} from '../observe/refusals.ts';
import {errorsAt} from '../surface/routes.ts';
import {sendError} from './respond.ts';

export type Refusing = Readonly<{
  request: GatewayRequest;
  response: GatewayResponse;
  id: string;
  arrivedMs: number;
  caller: Caller;
  known: Known;
}>;

export const pathOf = ({url}: Pick<GatewayRequest, 'url'>) => {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
};

export const createRefuser = ({
  metrics,
  logger,
  refusals,
}: {
  metrics: Pick<Metrics, 'counter'>;
  logger: Logger;
  refusals: Pick<Refusals, 'note'>;
}) => {
  const denials = metrics.counter(
    'sluice_denials_total',
    'Requests refused before they were sent upstream, by code.',
  );
  const write = createRefusalLines({logger});
  return {
    answer(thrown: unknown, {request, response, id, arrivedMs, caller, known}: Refusing) {
      const error = asSluiceError(thrown);
      const durationMs = Math.round(performance.now() - arrivedMs);
      denials({code: error.code}).add();
      if (error.code === 'internal') {
        logger.error({err: error.cause, request: id}, error.message);
      }
      sendError(response, error, errorsAt(pathOf(request)));
      refusals.note({request: id, known, error, durationMs});
      write({
        request: id,
        org: known.principal?.org,
        model: known.model?.name,
        path: pathOf(request).slice(0, 200),
        status: error.status,
        code: error.code,
        durationMs,
        ...caller,
        trace: known.trace,
      });
    },
    /** Of what was no request at all. */
    note(id: string, {code, status}: SluiceError) {
      denials({code}).add();
      write({request: id, status, code});
    },
  };
};
