/**
Shared limits: the limits of all gateways while their store answers, and a share of each for this process while it does not, or where
there is none.

In: the store, how many gateways there are. Out: answers, always. A share is the limit ÷ gateways alive, and begins with what was known to
be left. After a failure no request waits for the store: it is asked every second by itself, and limits are shared again when it
answers; what was taken meanwhile is taken out of them first.
*/

import type {Logger} from '../../../events/telemetry.ts';
import {withDeadline} from '../deadline.ts';
import {type Answer, type Ask, minuteMs} from './bucket.ts';
import {createMemory, createMemoryLimits, type LimitStore} from './store.ts';

export type SharedLimits = Readonly<{
  exchange(asks: readonly Ask[]): Promise<readonly Answer[]>;
  /** The store does not answer. */
  isAway(): boolean;
  gateways(): number;
  close(): Promise<void>;
}>;

/** What was taken from the process's own share and is not refilled since, and how full the bucket was believed to be before. */
type Debt = Readonly<{
  amount: number;
  share: number;
  capacity: number;
  atMs: number;
  level: number;
  levelMs: number;
}>;

/** What was taken from thousands of limits takes its time to tell, and nobody waits for it. */
const tellMs = 2_000;

export const createSharedLimits = ({
  store,
  gateway,
  gateways: known = () => 1,
  storeMs = 250,
  retryMs = 1_000,
  nowMs = () => performance.now(),
  logger,
}: {
  /** Absent: every gateway has its share. */
  store: LimitStore | undefined;
  gateway: string;
  /** As others count them. */
  gateways?: () => number;
  /** What the store may take to answer. */
  storeMs?: number;
  retryMs?: number;
  nowMs?: () => number;
  logger: Pick<Logger, 'warn' | 'info'>;
}): SharedLimits => {
  const memory = createMemory();
  const own = createMemoryLimits({memory, gateway, nowMs});
  const debts = new Map<string, Debt>();
  let away = store === undefined;
  let counted = 1;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const gateways = () => Math.max(known(), counted, 1);

  const owedOf = ({amount, atMs, share}: Debt) =>
    Math.max(amount - ((nowMs() - atMs) * share) / minuteMs, 0);

  /** The store would not know of it otherwise. Told before anything is asked for, so that nobody else is given it first. */
  const debtAsks = (): Ask[] =>
    [...debts].map(([limit, debt]) => ({
      limit,
      kind: 'minute',
      capacity: debt.capacity,
      kept: 0,
      released: 0,
      given: -Math.ceil(owedOf(debt)),
      needed: 0,
      least: 0,
      max: 0,
      level: debt.level + ((nowMs() - debt.levelMs) * debt.capacity) / minuteMs,
    }));

  /** Back is what answers twice: in between the others find it too, and tell what they have taken. */
  const askLater = (answered = false) => {
    if (!store || closed) {
      return;
    }
    timer = setTimeout(() => {
      const told = new Map(debts);
      bounded(tellMs, store.exchange(debtAsks(), gateways())).then(
        ({gateways: found}) => {
          counted = found;
          forgive(told);
          if (answered) {
            away = false;
            logger.info({}, 'limits are counted over all gateways again');
          } else {
            askLater(true);
          }
        },
        () => askLater(),
      );
    }, retryMs);
    timer.unref();
  };
  /** What was taken while it was told is told the next time, or with the first question. */
  const forgive = (told: ReadonlyMap<string, Debt>) => {
    for (const [limit, debt] of told) {
      const now = debts.get(limit);
      const amount = now ? owedOf(now) - owedOf(debt) : 0;
      if (!now || amount <= 0) {
        debts.delete(limit);
      } else {
        debts.set(limit, {...now, amount, atMs: nowMs()});
      }
    }
  };

  const exchangeOwn = async (asks: readonly Ask[]): Promise<readonly Answer[]> => {
    const count = gateways();
    // Never less than one, or nobody would be let in.
    const shares = asks.map(({capacity}) => Math.max(capacity / count, 1));
    const {answers} = await own.exchange(
      asks.map((ask, index) => ({
        ...ask,
        capacity: shares[index] as number,
        level: (ask.level * (shares[index] as number)) / ask.capacity,
        mayOwe: true,
      })),
      1,
    );
    if (store) {
      for (const [index, ask] of asks.entries()) {
        note(ask, (answers[index] as Answer).granted, shares[index] as number);
      }
    }
    return answers;
  };

  const note = (
    {limit, kind, capacity, released, given, level}: Ask,
    granted: number,
    share: number,
  ) => {
    const before = debts.get(limit);
    const amount = Math.max((before ? owedOf(before) : 0) + granted - released - given, 0);
    if (kind === 'minute' && (before || amount > 0)) {
      const now = nowMs();
      const known = before ?? {level, levelMs: now};
      const {level: knownLevel, levelMs} = known;
      debts.set(limit, {amount, share, capacity, atMs: now, level: knownLevel, levelMs});
    }
  };

  const exchangeShared = async (store: LimitStore, asks: readonly Ask[]) => {
    const told = debts.size === 0 ? undefined : new Map(debts);
    const exchanged = await bounded(
      storeMs,
      store.exchange(told ? [...debtAsks(), ...asks] : asks, gateways()),
    );
    counted = exchanged.gateways;
    if (told) {
      forgive(told);
    }
    return told ? exchanged.answers.slice(told.size) : exchanged.answers;
  };

  return {
    async exchange(asks) {
      if (away || !store) {
        return exchangeOwn(asks);
      }
      try {
        return await exchangeShared(store, asks);
      } catch (error) {
        away = true;
        memory.buckets.clear();
        logger.warn({err: error}, 'limits are per process: their store is away');
        askLater();
        // The store may have heard it: what was given back may be there, what is owed is owed.
        return exchangeOwn(asks.map(ask => ({...ask, released: 0, given: Math.min(ask.given, 0)})));
      }
    },
    isAway: () => store !== undefined && away,
    gateways,
    async close() {
      closed = true;
      clearTimeout(timer);
      await store?.close();
      await own.close();
    },
  };
};

const bounded = <Result>(ms: number, work: Promise<Result>): Promise<Result> =>
  withDeadline(work, ms, 'no answer');
