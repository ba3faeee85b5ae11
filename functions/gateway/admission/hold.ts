/**
Hold: a request is let in by every limit and has all its holds; or what the client is told.

In: the operation, the model that it goes to. Out: what somebody must end and settle from here on; when it throws, nothing is held.
*/
import type {Principal} from '../../auth/principal.ts';
import type {Taken} from '../../budget/leases/account.ts';
import type {LeaseBook} from '../../budget/leases/lease-book.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import type {ClientResponse} from '../exchange/admitted.ts';
import type {Upstream} from '../exchange/upstream.ts';
import type {RequestLimits} from '../limits/gateway.ts';
import type {Entered} from '../limits/limit-book.ts';
import {type Admission, admit} from './admission.ts';
import {ceilingOf} from './ceiling.ts';
import type {Operation} from './operation.ts';
import {takeHolds} from './take-holds.ts';

export type HoldParts = Readonly<{
  leaseBook: LeaseBook;
  upstream: Pick<Upstream, 'countTokens'>;
  requestLimits: Pick<RequestLimits, 'enter'>;
}>;

type Holding = Readonly<{
  principal: Principal;
  operation: Operation;
  model: ModelEntry;
  response: ClientResponse;
  /** Where a refusal's headers go. */
  refusals: Pick<ClientResponse, 'setHeader'>;
}>;

export type Held = Readonly<{admission: Admission; taken: Taken; entered: Entered}>;

export const hold = async (parts: HoldParts, holding: Holding): Promise<Held> => {
  const {principal, model, response, refusals} = holding;
  const admission = await countIfNeeded(parts, holding);
  const {promptTokens, copies, maxTokens} = admission.demand;
  const entered = await parts.requestLimits.enter({
    principal,
    model,
    tokens: promptTokens + copies * maxTokens,
    response,
    refusals,
  });
  try {
    return {
      admission,
      entered,
      taken: await takeHolds(parts.leaseBook, admission.demand, response),
    };
  } catch (error) {
    entered.end();
    throw error;
  }
};

/** It was never sent: nobody was told of its holds. */
export const release = ({taken, entered}: Held) => {
  taken.settle(taken.holds.map(() => 0));
  entered.end();
};

/** Only where the byte bound leaves the answer no room is a model server asked for the exact count, once. */
const countIfNeeded = async (
  {upstream}: HoldParts,
  {principal, operation, model}: Holding,
): Promise<Admission> => {
  const ceiling = ceilingOf(principal, model);
  const admission = admit(operation, model, principal.budgets, {ceiling});
  if (!admission.wantsCount || operation.prompts.length > 1) {
    return admission;
  }
  const counting = model.endpoints.filter(({tokenize}) => tokenize);
  const endpoint = counting.find(({health}) => health !== 'unhealthy') ?? counting[0];
  const request = endpoint && operation.form.toCount(JSON.parse(operation.body.toString('utf8')));
  if (!request) {
    return admission;
  }
  const counted = await upstream.countTokens(endpoint.url, {
    model: endpoint.upstreamModel,
    ...request,
  });
  return counted === undefined
    ? admission
    : admit(operation, model, principal.budgets, {countedTokens: counted, ceiling});
};
