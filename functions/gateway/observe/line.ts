/**
Line: what the log says of a request, as the members of a JSON object. By hand, since a line a request is the most that is written.

In: an exchange, how it ended. Out: the text; never a prompt, never an answer, of the client only what it is and where.
*/
import type {SluiceError} from '../../../events/errors.ts';
import {traceIdOf} from '../../../events/telemetry.ts';
import type {Exchange} from '../exchange/admitted.ts';
import type {Ending} from '../exchange/facts.ts';

const member = (name: string, value: string | number | undefined) =>
  value === undefined
    ? ''
    : `,"${name}":${typeof value === 'number' ? value : JSON.stringify(value)}`;

export const lineOf = (
  {facts, caller, insteadOf}: Exchange,
  ending: Ending,
  error: SluiceError | undefined,
): string =>
  `"request":"${facts.request}","org":"${facts.principal.org}"` +
  member('model', facts.model.name) +
  member('insteadOf', insteadOf) +
  member('endpoint', facts.endpoint.url) +
  `,"tries":${facts.tries},"operation":"${facts.operation}","streamed":${facts.streamed}` +
  member('status', ending.status) +
  member('outcome', ending.outcome) +
  member('code', error?.code) +
  member('durationMs', ending.latencyMs) +
  member('client', caller.client) +
  member('userAgent', caller.userAgent) +
  member('firstTokenMs', ending.timeToFirstTokenMs) +
  member('inputTokens', ending.tokens.inputTokens) +
  member('outputTokens', ending.tokens.outputTokens) +
  member('costNanos', ending.costNanos) +
  `,"estimated":${ending.estimated},"trace":"${traceIdOf(facts.traceparent)}"`;
