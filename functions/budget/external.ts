/**
External: usage that another router measured, charged without a lease.

In: messages with usage, and its terms. Out: one ledger entry `external` a request, once. The windows are those that the
usage's instant falls into, of every budget of its organisation, project and key. A cost is spent as far as nobody else has the
room, the rest is overage: the money is gone, and no gateway's lease may pay for it.
*/
import {type DeadLetter, refusedBy} from '../../events/dead-letters.ts';
import type {FindTerms, Terms} from '../../events/external-terms.ts';
import type {Books} from './books.ts';
import {costOf} from './cost.ts';
import type {Message} from './messages.ts';
import type {Charge, Keys, WindowRow} from './store.ts';
import {correct} from './window.ts';

type External = Message & {kind: 'external'};

const isExternal = (message: Message): message is External => message.kind === 'external';

/** The messages with their terms; what has none is a dead letter. */
export const withTerms = async (
  findTerms: FindTerms,
  messages: readonly Message[],
): Promise<{messages: Message[]; deadLetters: DeadLetter[]}> => {
  const external = messages.filter(isExternal);
  const found = external.length === 0 ? [] : await findTerms(external.map(({data}) => data));
  const terms = new Map(external.map((message, index) => [message, found[index]]));
  const deadLetters: DeadLetter[] = [];
  const known = messages.flatMap((message): Message[] => {
    const answer = isExternal(message) ? terms.get(message) : undefined;
    if (typeof answer === 'string') {
      deadLetters.push(refusedBy('budget', message.event, answer));
      return [];
    }
    return [isExternal(message) && answer ? {...message, terms: answer} : message];
  });
  return {messages: known, deadLetters};
};

/** What the store needs to know whose windows these are. */
export const externalKeyOf = ({data, month, terms}: External): Keys['external'][number] => {
  const {project, key} = terms as Terms;
  return {request: data.request, month, org: data.org, project, key, at: data.at};
};

export const applyExternal = (books: Books, {data, month, terms, traceparent}: External) => {
  if (books.isCharged(data.request)) {
    return;
  }
  const {project, key, modelId, priceVersion, price} = terms as Terms;
  const charges = books.accounts(data.request).map(({budget, window: place, unit}): Charge => {
    const window = books.window(place) as WindowRow;
    const amount = BigInt(costOf(unit, price, data));
    const after = correct(window, amount);
    books.setWindow(window, after.window);
    const {covered, overage} = after;
    return {budget, window: place, unit, hold: 0n, amount, covered, overage};
  });
  books.enter({
    month,
    request: data.request,
    entry: 'external',
    org: data.org,
    project,
    key,
    model: data.model,
    modelId,
    environment: data.environment,
    priceVersion,
    at: data.at,
    inputTokens: data.inputTokens,
    cachedInputTokens: data.cachedInputTokens,
    outputTokens: data.outputTokens,
    costNanos: costOf('usd', price, data),
    estimated: false,
    outcome: data.outcome,
    ...(traceparent === undefined ? {} : {traceparent}),
    charges,
  });
};
