/**
Settle: what each event of the money path does to the books of its batch, in the order of the log.

intent      opens the request, and counts its holds in the leases that still cover
result      charges the request, once: by its amounts, or as the difference to what policy had charged before
fence       frees what no open request of a fenced lease holds
due         charges by policy every request that was past its deadline when the marker was sent
external    charges what another router measured, once, without a lease

In: a message. Out: undefined, or why the event can never be handled; a refused event has changed nothing.
A request is settled once, whatever is repeated or comes in another order: the ledger decides.
*/
import {monthOf} from '../../events/uuid.ts';
import * as announce from './announce.ts';
import type {Books} from './books.ts';
import {type Context, chargeKnown, chargeUnannounced, correction, type Named} from './charge.ts';
import {applyExternal} from './external.ts';
import type {Message} from './messages.ts';
import {estimate} from './policy.ts';
import {type Intent, priceKey, type Result} from './store.ts';
import {covers, fence, openHold} from './window.ts';

export const apply = (context: Context, message: Message): string | undefined => {
  switch (message.kind) {
    case 'intent':
      return applyIntent(context, message);
    case 'result':
      return applyResult(context, message);
    case 'fence':
      return applyFence(context, message);
    case 'due':
      return applyDue(context, message);
    case 'external':
      applyExternal(context.books, message);
      return undefined;
  }
};

const misplaced = (books: Books, org: string, budgets: readonly Named[]): string | undefined => {
  const wrong = budgets.find(({budget, window, unit}) => {
    const row = books.window(window);
    return row?.org !== org || row.budget !== budget || row.unit !== unit;
  });
  return (
    wrong &&
    `window ${wrong.window} is not one of budget ${wrong.budget} in ${wrong.unit} of this organisation`
  );
};

const applyIntent = ({books}: Context, message: Message & {kind: 'intent'}) => {
  const {data, org, deadlineMs, traceparent} = message;
  if (books.settlement(data.request) || books.request(data.request)) {
    return undefined;
  }
  const complaint = misplaced(books, org, data.budgets);
  if (complaint !== undefined) {
    return complaint;
  }
  const covered = data.budgets.map(({lease: id, window, hold}) => {
    const lease = books.lease(id, window);
    if (!covers(lease)) {
      return false;
    }
    books.setLease(lease, openHold(lease, BigInt(hold)));
    return true;
  });
  books.open({id: data.request, org, deadlineMs, intent: data, covered, ...traced(traceparent)});
  return undefined;
};

const traced = (traceparent: string | undefined) =>
  traceparent === undefined ? {} : {traceparent};

const applyResult = (context: Context, message: Message & {kind: 'result'}) => {
  const {books, time} = context;
  const {data, org, month, traceparent} = message;
  const settlement = books.settlement(data.request);
  const request = books.request(data.request);
  if (settlement?.final) {
    books.close(data.request);
    return undefined;
  }
  if ((request ?? settlement?.unsettled ?? message).org !== org) {
    return 'the request is of another organisation';
  }
  const complaint = misplaced(books, org, data.budgets);
  if (complaint !== undefined) {
    return complaint;
  }
  if (settlement?.unsettled) {
    const entry = correction(books, data, settlement.unsettled);
    books.enter(entry);
    books.send(announce.corrected(data, entry, time));
  } else {
    const charges = request
      ? chargeKnown(context, request, data)
      : chargeUnannounced(context, data.budgets);
    books.enter({
      ...entryOf(data, month),
      ...usageOf(data),
      ...traced(traceparent),
      entry: 'result',
      charges,
    });
  }
  books.close(data.request);
  books.send(announce.implausible(data, traceparent, time));
  return undefined;
};

const entryOf = (about: Intent | Result, month: string) => ({
  month,
  request: about.request,
  org: about.orgid,
  project: about.project,
  key: about.key,
  model: about.model,
  modelId: about.modelId,
  environment: about.environment,
  priceVersion: about.priceVersion,
  at: about.startedAt,
});

const usageOf = ({
  inputTokens,
  cachedInputTokens,
  outputTokens,
  costNanos,
  estimated,
  outcome,
}: Result) => ({
  inputTokens,
  cachedInputTokens,
  outputTokens,
  costNanos,
  estimated,
  outcome,
});

const applyFence = (
  {books, notes}: Context,
  {lease: id, window: place, org}: Message & {kind: 'fence'},
) => {
  const lease = books.lease(id, place);
  const window = books.window(place);
  if (lease?.state === 'fenced') {
    return undefined;
  }
  const after = lease && window && lease.org === org ? fence(lease, window) : undefined;
  if (lease && window && after) {
    books.setLease(lease, after.lease);
    books.setWindow(window, after.window);
  } else {
    notes.voidMarkers.push(id);
  }
  return undefined;
};

const applyDue = (context: Context, {org, beforeMs}: Message & {kind: 'due'}) => {
  const {books, time} = context;
  const due = [...books.requests()].filter(
    request => request.org === org && request.deadlineMs < beforeMs,
  );
  for (const request of due) {
    books.close(request.id);
    // The row outlived its settlement when two debits met without a window in common; the ledger is right.
    if (books.settlement(request.id)) {
      continue;
    }
    const {intent} = request;
    const guess = estimate(intent, books.price(priceKey(intent.modelId, intent.priceVersion)));
    const budgets = intent.budgets.map((budget, index) => ({
      ...budget,
      amount: guess.amounts[index] ?? 0,
    }));
    books.enter({
      ...entryOf(intent, monthOf(request.id) as string),
      ...traced(request.traceparent),
      entry: 'unsettled',
      inputTokens: guess.inputTokens,
      cachedInputTokens: 0,
      outputTokens: 0,
      costNanos: guess.costNanos,
      estimated: true,
      outcome: 'unsettled',
      charges: chargeKnown(context, request, {budgets}),
    });
    books.send(announce.unsettled(request, guess, time));
  }
  return undefined;
};
