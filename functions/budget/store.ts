/**
Store: the port through which the debit reaches windows, leases, open requests and the ledger.

A transaction loads everything that a batch names, in locked order, lets `work` decide in memory, and writes what changed.
`work` may be called again when the database asks for a repetition, so it has no effects of its own.
*/
import type {DeadLetter} from '../../events/dead-letters.ts';
import type {FindTerms} from '../../events/external-terms.ts';
import type {OutboxRow} from '../../events/outbox.ts';
import type {EventData} from '../../events/types.ts';
import type {Price, Unit} from './cost.ts';
import type {Lease, Window} from './window.ts';

export type Intent = EventData['dev.sluice.inference.started.v1'];
export type Result = EventData['dev.sluice.inference.finished.v1'];

export type WindowRow = Window &
  Readonly<{
    id: string;
    org: string;
    budget: string;
    unit: Unit;
    /** Shares of the limit in per cent that are announced. */
    thresholds: readonly number[];
    /** The highest share that was announced. */
    thresholdReached: number;
  }>;

export type LeaseRow = Lease & Readonly<{id: string; org: string; window: string}>;

/** A request whose intent was read and that is not settled. */
export type OpenRequest = Readonly<{
  id: string;
  org: string;
  deadlineMs: number;
  intent: Intent;
  traceparent?: string;
  /** In the order of the intent's budgets: was the hold counted in its lease? */
  covered: readonly boolean[];
}>;

export type Charge = Readonly<{
  budget: string;
  window: string;
  /** None where another router measured. */
  lease?: string;
  unit: Unit;
  hold: bigint;
  /** amount = covered + overage; signed in a correction. */
  amount: bigint;
  covered: bigint;
  overage: bigint;
}>;

export type LedgerEntry = Readonly<{
  /** First day of the month of the request id's time. */
  month: string;
  request: string;
  entry: 'result' | 'unsettled' | 'correction' | 'external';
  org: string;
  project: string;
  key: string;
  model: string;
  modelId: string;
  environment: Intent['environment'];
  priceVersion: number;
  /** The accounting instant, RFC 3339. */
  at: string;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  costNanos: number;
  estimated: boolean;
  outcome: string;
  traceparent?: string;
  charges: readonly Charge[];
}>;

/** What the ledger has of a request. `unsettled` is kept whole, because a late result is corrected against it. */
export type Settlement = Readonly<{final: boolean; unsettled?: LedgerEntry}>;

/** What a batch names. Whatever else it needs (windows of open requests, prices) follows from these. */
export type Keys = Readonly<{
  orgs: readonly string[];
  months: readonly string[];
  requests: readonly string[];
  windows: readonly string[];
  leases: readonly string[];
  prices: ReadonlyArray<{modelId: string; version: number}>;
  /** Requests of an organisation with a deadline before an instant are loaded too. */
  due: ReadonlyArray<{org: string; beforeMs: number}>;
  /** Usage of other routers: the windows of its instant are opened where they are not there. */
  external: ReadonlyArray<{
    request: string;
    month: string;
    org: string;
    project: string;
    key: string;
    at: string;
  }>;
}>;

/** A budget that usage of another router is charged to, and the window of its instant. */
export type Account = Readonly<{budget: string; window: string; unit: Unit}>;

export type Loaded = Readonly<{
  windows: ReadonlyMap<string, WindowRow>;
  leases: ReadonlyMap<string, LeaseRow>;
  requests: ReadonlyMap<string, OpenRequest>;
  settlements: ReadonlyMap<string, Settlement>;
  /** By `priceKey`. */
  prices: ReadonlyMap<string, Price>;
  /** Usage of other routers: the ids that the ledger has, and of the others what is charged. */
  charged: ReadonlySet<string>;
  accounts: ReadonlyMap<string, readonly Account[]>;
}>;

export type Changes = Readonly<{
  windows: readonly WindowRow[];
  leases: readonly LeaseRow[];
  opened: readonly OpenRequest[];
  closed: readonly string[];
  entries: readonly LedgerEntry[];
  outbox: readonly OutboxRow[];
  deadLetters: readonly DeadLetter[];
}>;

export type BudgetStore = Readonly<{
  /** Makes months writable. Out: those that are too far from now to be. */
  openMonths(months: readonly string[]): Promise<ReadonlySet<string>>;
  /** Of usage of other routers; outside of any transaction, because they never change. */
  findTerms: FindTerms;
  /** All of `work`'s changes or none. */
  transaction<Outcome extends Changes>(
    keys: Keys,
    work: (loaded: Loaded) => Outcome,
  ): Promise<Outcome>;
  /** Sends the markers that are due: how long past its end a lease, past its deadline a request must be. */
  reconcile(
    past: Readonly<{leaseMs: number; requestMs: number}>,
  ): Promise<{fences: number; settlements: number}>;
}>;

export const priceKey = (modelId: string, version: number) => `${modelId}/${version}`;

/** So many of an organisation's requests are settled by one marker; the next marker takes the rest. */
export const dueMax = 2_000;
