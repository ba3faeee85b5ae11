/**
Budget world: gateways that keep the protocol (and some that die or freeze), one log, and the debit on the store in memory.

In: steps with numbers that choose. Out: the store, what happened, and whether any of it explains overage. The log is read in
any order, as the embedded mode may, but for one promise: a marker is read after everything before it.
*/
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import {priceKey, type WindowRow} from '../../functions/budget/store.ts';
import {createMemoryStore} from '../../functions/budget/store-memory.ts';
import {due, finished, modelId, price, started, type Use, window} from './budget.ts';

type Book = {
  id: string;
  gateway: number;
  window: WindowRow;
  granted: number;
  held: number;
  settled: number;
  usable: boolean;
};
type Running = {id: string; books: readonly Book[]; hold: number; deadlineMs: number};

const policies = ['prompt', 'hold', 'waive'] as const;
const requestMs = 600_000;

export const createWorld = (limits: readonly number[]) => {
  let clock = Date.parse('2026-11-21T10:00:00Z');
  const store = createMemoryStore({now: () => clock});
  store.state.prices.set(priceKey(modelId, 1), {...price, inputPerMillion: 1_000_000});
  const windows = limits.map(limit => window({limit: BigInt(limit)}));
  for (const row of windows) {
    store.state.windows.set(row.id, row);
  }
  const books: Book[] = [];
  const running: Running[] = [];
  const log: {event: Event; marker: boolean; read: boolean}[] = [];
  /** The amount of every request that has a result. */
  const results = new Map<string, number>();
  const happened = {implausible: false, lateIntent: false, short: 0};
  const handle = debit({
    store,
    now: () => clock,
    onOutcome: outcome => {
      happened.short += outcome.short;
    },
  });

  const append = (event: Event, marker = false) => log.push({event, marker, read: false});
  const appendMarkers = () => {
    const known = new Set(log.map(({event}) => event.id));
    for (const event of store.state.outbox.values()) {
      if (event.type === 'dev.sluice.lease.fenced.v1' && !known.has(event.id)) {
        append(event, true);
      }
    }
  };
  const readable = () => {
    const marker = log.findIndex(({marker, read}) => marker && !read);
    const before = log.slice(0, marker === -1 ? log.length : marker).filter(({read}) => !read);
    return before.length > 0 || marker === -1 ? before : log.slice(marker, marker + 1);
  };
  const usesOf = ({books: held, hold}: Pick<Running, 'books' | 'hold'>, amount?: number): Use[] =>
    held.map(book => ({
      window: book.window,
      lease: book.id,
      hold,
      ...(amount === undefined ? {} : {amount}),
    }));

  const start = (held: readonly Book[], hold: number, policy: number) => {
    const request = {id: uuidv7(clock), books: held, hold, deadlineMs: clock + requestMs};
    for (const book of held) {
      book.held += hold;
    }
    running.push(request);
    const deadline = new Date(request.deadlineMs).toISOString();
    append(
      started(request.id, usesOf(request), {
        deadline,
        promptBytes: hold * 2,
        unsettledPolicy: policies[policy % 3],
      }),
    );
  };

  const finish = (request: Running, amount: number) => {
    running.splice(running.indexOf(request), 1);
    results.set(request.id, amount);
    append(finished(request.id, usesOf(request, amount), {costNanos: amount}));
    for (const book of request.books) {
      book.held -= request.hold;
      book.settled += Math.min(amount, request.hold);
    }
  };

  const fence = (book: Book) => {
    const lease = store.state.leases.get(book.id);
    if (
      lease &&
      (lease.state === 'open' || lease.state === 'closed') &&
      lease.granted > lease.settled + lease.returned
    ) {
      store.beginFence(book.id);
      book.usable = false;
      appendMarkers();
    }
  };

  const step = {
    grant(gateway: number, amount: number) {
      for (const row of windows) {
        const book = books.find(one => one.gateway === gateway && one.window === row && one.usable);
        const id = book?.id ?? uuidv7();
        const granted = Number(
          store.grant({id, window: row.id, amount: BigInt(1 + (amount % 200))}) ?? 0n,
        );
        if (book) {
          book.granted += granted;
        } else if (granted > 0) {
          books.push({id, gateway, window: row, granted, held: 0, settled: 0, usable: true});
        }
      }
    },
    start(gateway: number, share: number, policy: number) {
      const held = windows.flatMap(
        row => books.find(one => one.gateway === gateway && one.window === row && one.usable) ?? [],
      );
      const free = Math.min(...held.map(book => book.granted - book.settled - book.held));
      if (held.length === windows.length && free > 0) {
        start(held, 1 + (share % free), policy);
      }
    },
    /** A process that froze between its last look at its lease and its write. */
    startLate(gateway: number, share: number, policy: number) {
      const held = books.filter(one => one.gateway === gateway && !one.usable).slice(-1);
      if (held.length > 0) {
        happened.lateIntent = true;
        start(held, 1 + (share % 50), policy);
      }
    },
    finish(which: number, amount: number) {
      const request = running[which % Math.max(running.length, 1)];
      if (request) {
        finish(request, amount % (request.hold + 1));
      }
    },
    /** A model server that reports more than the request could have used. */
    lie(which: number, amount: number) {
      const request = running[which % Math.max(running.length, 1)];
      if (request) {
        happened.implausible = true;
        finish(request, request.hold + amount + 1);
      }
    },
    giveBack(which: number) {
      const book = books[which % Math.max(books.length, 1)];
      if (book) {
        book.usable = false;
        store.giveBack(book.id, BigInt(Math.max(book.granted - book.settled - book.held, 0)));
      }
    },
    fence(which: number) {
      const book = books[which % Math.max(books.length, 1)];
      if (book) {
        fence(book);
      }
    },
    /** kill -9: its requests never finish, its leases are never returned. */
    kill(gateway: number) {
      for (const book of books.filter(one => one.gateway === gateway)) {
        book.usable = false;
        book.gateway = -1;
      }
      for (const request of running.filter(({books: held}) =>
        held.some(book => book.gateway === -1),
      )) {
        running.splice(running.indexOf(request), 1);
      }
    },
    wait(minutes: number) {
      clock += (minutes % 20) * 60_000;
    },
    settleDue() {
      append(due(new Date(clock).toISOString()), true);
    },
    async read(count: number, order: number) {
      const batch: Event[] = [];
      for (let index = 0; index <= count % 8; index += 1) {
        const candidates = readable();
        const next = candidates[(order + index * 7) % Math.max(candidates.length, 1)];
        if (next) {
          next.read = true;
          batch.push(next.event);
        }
      }
      await handle(batch);
    },
    async readAgain(from: number, count: number) {
      const seen = log.filter(({read}) => read).map(({event}) => event);
      await handle(seen.slice(from % Math.max(seen.length, 1)).slice(0, count % 8));
    },
  };

  /** Everything is finished or past its deadline, returned or fenced, and read. */
  const end = async () => {
    for (const request of [...running].filter((_, index) => index % 2 === 0)) {
      finish(request, request.hold);
    }
    while (readable().length > 0) {
      await step.read(7, 0);
    }
    clock += 2 * requestMs;
    step.settleDue();
    for (const book of books) {
      fence(book);
    }
    while (readable().length > 0) {
      await step.read(7, 0);
    }
  };

  return {step, end, store, log, results, happened};
};

export type World = ReturnType<typeof createWorld>;
