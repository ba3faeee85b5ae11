/**
Debit: a batch of the log's events in, one transaction, nothing out but what the outbox relays.

All or nothing: it returns when every event is done, and throws when none is. It never refuses a batch for one event: one
that can never be handled becomes a dead letter in the same transaction. Handling a batch again changes nothing.
*/
import {type DeadLetter, refusedBy} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';
import {thresholds} from '../../events/thresholds.ts';
import {openBooks} from './books.ts';
import type {Notes} from './charge.ts';
import {externalKeyOf, withTerms} from './external.ts';
import {type Message, readMessages} from './messages.ts';
import {apply} from './settle.ts';
import type {BudgetStore, Changes, Keys, Loaded} from './store.ts';

export type Outcome = Changes & Notes;

export const debit = ({
  store,
  now = Date.now,
  onOutcome = () => {},
}: {
  store: BudgetStore;
  now?: () => number;
  /** What was written, after it was. */
  onOutcome?: (outcome: Outcome, events: readonly Event[]) => void;
}) =>
  async function debitBatch(events: readonly Event[]): Promise<void> {
    const read = readMessages(events, now());
    const {messages, deadLetters: refused} = await withTerms(store.findTerms, read.messages);
    const deadLetters = [...read.deadLetters, ...refused];
    const months = new Set(
      messages.flatMap(message => ('month' in message ? [message.month] : [])),
    );
    const closedMonths = await store.openMonths([...months]);
    const usable = messages.filter(message => {
      const isOpen = !('month' in message) || !closedMonths.has(message.month);
      if (!isOpen) {
        deadLetters.push(
          refusedBy('budget', message.event, "the month of the request's id is too far from now"),
        );
      }
      return isOpen;
    });
    if (usable.length + deadLetters.length === 0) {
      return;
    }
    const time = new Date(now());
    const outcome = await store.transaction(keysOf(usable), loaded =>
      settleBatch(loaded, usable, deadLetters, time),
    );
    onOutcome(outcome, events);
  };

const settleBatch = (
  loaded: Loaded,
  messages: readonly Message[],
  deadLetters: readonly DeadLetter[],
  time: Date,
): Outcome => {
  const books = openBooks(loaded);
  const notes: Notes = {voidMarkers: [], short: 0};
  for (const letter of deadLetters) {
    books.bury(letter);
  }
  for (const message of messages) {
    const complaint = apply({books, notes, time}, message);
    if (complaint !== undefined) {
      books.bury(refusedBy('budget', message.event, complaint));
    }
  }
  for (const touched of books.changes().windows) {
    const {window, rows} = thresholds(touched, time);
    books.setWindow(touched, window);
    for (const row of rows) {
      books.send(row);
    }
  }
  return {...books.changes(), ...notes};
};

const keysOf = (messages: readonly Message[]): Keys => {
  const orgs = new Set<string>();
  const months = new Set<string>();
  const requests = new Set<string>();
  const windows = new Set<string>();
  const leases = new Set<string>();
  const due: {org: string; beforeMs: number}[] = [];
  const external: Keys['external'][number][] = [];
  const prices = new Map<string, {modelId: string; version: number}>();
  for (const message of messages) {
    orgs.add(message.org);
    if (message.kind === 'due') {
      due.push({org: message.org, beforeMs: message.beforeMs});
    } else if (message.kind === 'external') {
      external.push(externalKeyOf(message));
    } else if (message.kind === 'fence') {
      windows.add(message.window);
      leases.add(message.lease);
    } else {
      const {request, modelId, priceVersion, budgets} = message.data;
      months.add(message.month);
      requests.add(request);
      if (message.kind === 'intent') {
        prices.set(`${modelId}/${priceVersion}`, {modelId, version: priceVersion});
      }
      for (const {window, lease} of budgets) {
        windows.add(window);
        leases.add(lease);
      }
    }
  }
  return {
    orgs: [...orgs],
    months: [...months],
    requests: [...requests],
    windows: [...windows],
    leases: [...leases],
    prices: due.length > 0 ? [...prices.values()] : [],
    due,
    external,
  };
};
