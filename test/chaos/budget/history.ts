/**
History: what was true when, told afterwards from the log and the ledger.

In: the log in its order, the ledger, the leases' amounts. Out: for every request when its hold began and ended; at every fence what
was open; every point of the log at which a lease had more settled and open than was granted; which intents came after their
lease's fence. Pure.
*/
import type {Books, Entry} from './books.ts';
import type {BudgetOf, LogEvent} from './log.ts';

export type Life = {
  readonly request: string;
  /** The broker's clock; a hold counts from here … */
  startMs: number;
  /** … to here, where its cost takes its place. */
  endMs: number;
  readonly hold: bigint;
  cost: bigint;
  /** Its intent was read after the marker of its lease: the process was frozen. */
  uncovered: boolean;
};

export type History = Readonly<{
  lives: readonly Life[];
  /** What late results added to, or took from, what policy had charged. */
  corrections: readonly Readonly<{atMs: number; amount: bigint}>[];
  /** Fences at whose marker a request held money. */
  openFences: number;
  fences: number;
  /** Points of the log at which a lease had more settled and open than it ever was granted. */
  overdrawn: readonly string[];
}>;

const type = (noun: string) => `dev.sluice.${noun}.v1`;
/** A result that waited in the outbox stands later in the log than its money was given back: that is allowed. */
const lateMs = 400;

type Request = {
  budgets: readonly BudgetOf[];
  deadlineMs: number;
  started: LogEvent;
  counted: boolean[];
};

export const readHistory = (
  log: readonly LogEvent[],
  {ledger, leases}: Pick<Books, 'ledger' | 'leases'>,
  budget: string,
): History => {
  const entries = Map.groupBy(ledger, ({request}) => request);
  const results = new Map<string, LogEvent>();
  for (const event of log) {
    if (event.type === type('inference.finished') && !results.has(event.data.request)) {
      results.set(event.data.request, event);
    }
  }
  const lives = new Map<string, Life>();
  const open = new Map<string, Request>();
  const closed = new Set<string>();
  const fenced = new Set<string>();
  const openIn = new Map<string, bigint>();
  const settledIn = new Map<string, bigint>();
  const overdrawn: string[] = [];
  let fences = 0;
  let openFences = 0;

  const add = (sums: Map<string, bigint>, lease: string, amount: bigint) =>
    sums.set(lease, (sums.get(lease) ?? 0n) + amount);

  const isLate = ({started}: Request) => {
    const result = results.get(started.data.request);
    return (
      result === undefined || result.atMs - started.atMs - (result.timeMs - started.timeMs) > lateMs
    );
  };

  const check = (lease: string) => {
    const granted = leases.get(lease)?.granted;
    const used = (openIn.get(lease) ?? 0n) + (settledIn.get(lease) ?? 0n);
    if (granted === undefined || used <= granted || fenced.has(lease)) {
      return;
    }
    const holders = [...open.values()].filter(({budgets}) =>
      budgets.some(one => one.lease === lease),
    );
    if (!holders.some(isLate)) {
      overdrawn.push(`lease ${lease}: ${used} of ${granted}`);
    }
  };

  const close = (request: string, amountOf: (budget: BudgetOf, index: number) => bigint) => {
    const known = open.get(request);
    for (const [index, one] of (known?.budgets ?? []).entries()) {
      if (known?.counted[index]) {
        add(openIn, one.lease, -BigInt(one.hold));
        const amount = amountOf(one, index);
        add(settledIn, one.lease, amount < BigInt(one.hold) ? amount : BigInt(one.hold));
      }
    }
    open.delete(request);
    closed.add(request);
  };

  const onStarted = (event: LogEvent) => {
    const {request, budgets, deadline} = event.data;
    if (open.has(request) || closed.has(request)) {
      return;
    }
    const counted = budgets.map(({lease}) => !fenced.has(lease));
    open.set(request, {budgets, deadlineMs: Date.parse(deadline), started: event, counted});
    const own = budgets.find(one => one.budget === budget);
    lives.set(request, {
      request,
      startMs: event.atMs,
      endMs: Number.POSITIVE_INFINITY,
      hold: BigInt(own?.hold ?? 0),
      cost: 0n,
      uncovered: own !== undefined && fenced.has(own.lease),
    });
    for (const [index, {lease, hold}] of budgets.entries()) {
      if (counted[index]) {
        add(openIn, lease, BigInt(hold));
        check(lease);
      }
    }
  };

  const onFinished = (event: LogEvent) => {
    const {request, budgets} = event.data;
    if (closed.has(request)) {
      return;
    }
    const own = budgets.find(one => one.budget === budget);
    const life = lives.get(request) ?? {
      request,
      startMs: event.atMs,
      endMs: event.atMs,
      hold: BigInt(own?.hold ?? 0),
      cost: 0n,
      uncovered: own !== undefined && fenced.has(own.lease),
    };
    lives.set(request, life);
    life.endMs = event.atMs;
    life.cost = BigInt(own?.amount ?? 0);
    if (!open.has(request)) {
      for (const {lease, hold, amount = 0} of budgets) {
        add(settledIn, lease, BigInt(Math.min(hold, amount)));
      }
    }
    const amounts = new Map(budgets.map(one => [one.lease, BigInt(one.amount ?? 0)]));
    close(request, one => amounts.get(one.lease) ?? 0n);
  };

  const onDue = (event: LogEvent) => {
    const before = Date.parse(event.data.dueBefore);
    for (const [request, {deadlineMs}] of [...open]) {
      const unsettled = entries.get(request)?.find(({entry}) => entry === 'unsettled');
      if (deadlineMs >= before || unsettled === undefined) {
        continue;
      }
      const life = lives.get(request) as Life;
      life.endMs = unsettled.settledMs;
      life.cost = chargeOf(unsettled, budget);
      close(request, one => chargeOf(unsettled, one.budget));
    }
  };

  const onFence = (event: LogEvent) => {
    const {lease} = event.data;
    if (fenced.has(lease)) {
      return;
    }
    fenced.add(lease);
    fences += 1;
    openFences += (openIn.get(lease) ?? 0n) > 0n ? 1 : 0;
  };

  const handlers: Readonly<Record<string, (event: LogEvent) => void>> = {
    [type('inference.started')]: onStarted,
    [type('inference.finished')]: onFinished,
    [type('settlement.due')]: onDue,
    [type('lease.fenced')]: onFence,
  };
  for (const event of log) {
    handlers[event.type]?.(event);
  }
  const corrections = ledger
    .filter(({entry}) => entry === 'correction')
    .map(entry => ({atMs: entry.settledMs, amount: chargeOf(entry, budget)}));
  return {lives: [...lives.values()], corrections, fences, openFences, overdrawn};
};

const chargeOf = ({charges}: Entry, budget: string): bigint =>
  charges.find(one => one.budget === budget)?.amount ?? 0n;
