/**
Limit book: the limits of one gateway process, and what its requests take of them.

In: what a request uses of each limit. Out: that it may, or which limit says no and until when; all is taken or nothing. In steady state
nobody is asked. Who lacks something waits for the next exchange with the store, which gathers all limits that lack, that hold what is
not needed, or that must be heard of; a refusal that the store gave a moment ago is given again without asking.
*/
import {
  type Account,
  freeOf,
  giveBack,
  isIdle,
  isShort,
  isSpent,
  newAccount,
  remainingOf,
  take,
  waitMsOf,
} from './account.ts';
import type {Answer, Ask} from './bucket.ts';
import type {Limit, Use} from './limit.ts';
import {applyAnswer, askOf, closingAskOf, forgetAsk} from './question.ts';
import {type Lives, lives as usual} from './store.ts';
import {createWaiters} from './waiters.ts';

export type Refused = Readonly<{
  limit: Limit;
  /** Undefined: it can never be let in. */
  retryAfterMs: number | undefined;
  amount: number;
}>;

export type Entered = Readonly<{
  /** `tokens`: what was used; absent: nothing ran, and only the request itself counts. Works once. */
  end(tokens?: number): void;
}>;

export type Quota = Readonly<{limit: Limit; remaining: number; resetMs: number}>;

export const createLimitBook = ({
  exchange,
  nowMs = () => performance.now(),
  lives = usual,
  tickMs = 5,
  lookMs = 250,
  waitMs = 1_000,
  waitersMax = 10_000,
  onError = () => {},
}: {
  exchange: (asks: readonly Ask[]) => Promise<readonly Answer[]>;
  nowMs?: () => number;
  lives?: Lives;
  /** Between two exchanges, at least. */
  tickMs?: number;
  /** Between two looks for what is due. */
  lookMs?: number;
  /** A request waits so long, should the limits that it lacks come one after the other. */
  waitMs?: number;
  waitersMax?: number;
  onError?: (error: Error) => void;
}) => {
  const accounts = new Map<string, Account>();
  /** Those that spent most of what they held, and will lack soon. */
  const low = new Set<Account>();
  let ticking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let nextTickMs = Number.NEGATIVE_INFINITY;
  let heardMs = Number.NEGATIVE_INFINITY;
  let closed = false;

  const accountOf = (limit: Limit, now: number): Account => {
    let account = accounts.get(limit.id);
    if (!account) {
      account = newAccount(limit, now);
      accounts.set(limit.id, account);
    } else if (account.limit !== limit) {
      account.limit = limit;
    }
    return account;
  };

  const enteredOf = (uses: readonly Use[]): Entered => {
    let ended = false;
    return {
      end(tokens = 0) {
        if (ended) {
          return;
        }
        ended = true;
        const now = nowMs();
        for (const {limit, amount} of uses) {
          const unused = limit.unit === 'tokens' ? amount - tokens : 0;
          giveBack(accountOf(limit, now), amount, unused, now);
        }
      },
    };
  };

  /** Undefined: something lacks that the store may have. */
  const decideOne = (uses: readonly Use[], now: number): Entered | Refused | undefined => {
    let lacks = false;
    for (const {limit, amount} of uses) {
      const account = accountOf(limit, now);
      if (amount > freeOf(account, now)) {
        if (amount > limit.capacity) {
          return {limit, amount, retryAfterMs: undefined};
        }
        if (isShort(account, amount, now)) {
          return {limit, amount, retryAfterMs: waitMsOf(account, amount, now)};
        }
        lacks = true;
      }
    }
    if (lacks) {
      return undefined;
    }
    for (const {limit, amount} of uses) {
      const account = accountOf(limit, now);
      take(account, amount, now);
      if (isSpent(account)) {
        low.add(account);
        schedule();
      }
    }
    return enteredOf(uses);
  };

  const waiters = createWaiters<Entered | Refused>((uses, now, untilMs) => {
    const outcome = decideOne(uses, now);
    const lacking = outcome || now < untilMs ? undefined : uses.find(use => lacksNow(use, now));
    return outcome ?? (lacking && {...lacking, retryAfterMs: waitMs});
  });
  const lacksNow = ({limit, amount}: Use, now: number) =>
    amount > freeOf(accountOf(limit, now), now);

  const schedule = () => {
    if (!timer && !ticking && !closed) {
      timer = setTimeout(() => void tick({looking: false}), Math.max(nextTickMs - nowMs(), 0));
      // Who waits has a connection, and that keeps the process.
      timer.unref();
    }
  };

  const tick = ({looking} = {looking: true}): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    ticking ??= tickOnce(looking).finally(() => {
      ticking = undefined;
      if (waiters.size() > 0 || low.size > 0) {
        schedule();
      }
    });
    return ticking;
  };

  /** All accounts are looked at a few times a second; those that lack, whenever they do. */
  const collect = (looking: boolean, now: number) => {
    const wanted = waiters.wants();
    const some = new Set(low);
    low.clear();
    for (const id of wanted.keys()) {
      some.add(accounts.get(id) as Account);
    }
    const asks: {account: Account; ask: Ask}[] = [];
    for (const account of looking ? accounts.values() : some) {
      const ask = askOf(account, wanted.get(account.limit.id), now, lives);
      if (ask) {
        asks.push({account, ask});
      } else if (!some.has(account) && isIdle(account, now)) {
        accounts.delete(account.limit.id);
      }
    }
    return asks;
  };

  const tickOnce = async (looking: boolean) => {
    const askedMs = nowMs();
    const asks = collect(looking, askedMs);
    // Even with nothing to say: who is not heard of is not counted.
    const isSilent = accounts.size > 0 && askedMs - heardMs >= lives.gatewayMs / 3;
    if (asks.length === 0 && !isSilent) {
      waiters.decide(nowMs());
      return;
    }
    nextTickMs = askedMs + tickMs;
    heardMs = askedMs;
    try {
      const answers = await exchange(asks.map(({ask}) => ask));
      const now = nowMs();
      for (const [index, {account, ask}] of asks.entries()) {
        applyAnswer(account, ask, answers[index] as Answer, {askedMs, nowMs: now, lives});
      }
    } catch (error) {
      onError(error as Error);
      for (const {account, ask} of asks) {
        forgetAsk(account, ask);
      }
    }
    waiters.decide(nowMs());
  };

  const interval = setInterval(() => void tick(), lookMs);
  interval.unref();

  return {
    /** Takes at once where the gateway holds enough of every limit; otherwise waits for the store. */
    enter(uses: readonly Use[]): Entered | Promise<Entered | Refused> {
      const now = nowMs();
      const outcome = decideOne(uses, now);
      if (outcome) {
        return 'end' in outcome ? outcome : Promise.resolve(outcome);
      }
      if (waiters.size() >= waitersMax || closed) {
        const lacking = uses.find(use => lacksNow(use, now)) as Use;
        return Promise.resolve({...lacking, retryAfterMs: waitMs});
      }
      const waiting = waiters.add(uses, now + waitMs);
      schedule();
      return waiting;
    },
    /** What is left of a limit as far as this process knows, and how long until all of it is. */
    quota(limit: Limit): Quota {
      const now = nowMs();
      const remaining = remainingOf(accountOf(limit, now), now);
      const missing = limit.unit === 'parallel' ? 0 : limit.capacity - remaining;
      return {limit, remaining, resetMs: Math.ceil((missing * 60_000) / limit.capacity)};
    },
    state: () => ({limits: accounts.size, waiting: waiters.size()}),
    /** Everything back that no request uses. */
    async close() {
      closed = true;
      clearInterval(interval);
      clearTimeout(timer);
      await ticking;
      const now = nowMs();
      const asks = [...accounts.values()].flatMap(account => closingAskOf(account, now) ?? []);
      if (asks.length > 0) {
        await exchange(asks).catch(onError);
      }
    },
    tick,
  };
};

export type LimitBook = ReturnType<typeof createLimitBook>;
