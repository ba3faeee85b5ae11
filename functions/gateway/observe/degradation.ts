/**
Degradation: what the gateway can still promise, by what is known of the systems that it needs.

In: what is known of Kafka, PostgreSQL, the changes, the models, the outbox, the results in memory and the claims. Out: the states that hold,
each with what it means, and why new requests are refused, if they are. Pure: others find out and remember. In no state is a
request ended that runs.
*/
import type {Limits} from '../../../events/limits.ts';

/** What waits in the outbox. */
export type Backlog = Readonly<{rows: number; ageMs: number}>;

export type Known = Readonly<{
  /** none: the outbox is the log. answering: it is back, and the next append is the first that tries. */
  kafka: 'none' | 'there' | 'away' | 'answering';
  /** For how long PostgreSQL has not answered; undefined while it does. */
  postgresAwayMs: number | undefined;
  /** Since the changes were last read. */
  changesAgeMs: number;
  /** The last time that the models were asked for nothing came. */
  modelsFailing?: boolean;
  outbox: Backlog;
  /** Results that no log has acknowledged. */
  resultsWaiting: number;
  claimsAway: boolean;
  limitsAway?: boolean;
}>;

export type Bounds = Pick<
  Limits,
  'outboxRows' | 'outboxAgeMs' | 'staleMaxMs' | 'leaseTtlMs' | 'openRequests'
>;

export const stateNames = [
  'kafka-away',
  'postgres-away',
  'log-away',
  'leases-over',
  'outbox-full',
  'results-full',
  'changes-stale',
  'changes-expired',
  'models-unread',
  'claims-per-process',
  'limits-per-process',
] as const;
export type StateName = (typeof stateNames)[number];
export type State = Readonly<{state: StateName; refuses: boolean; detail: string}>;

type Rule = Readonly<{
  holds: (known: Known, bounds: Bounds) => boolean;
  /** What the client is told that is refused; undefined: the state refuses nobody. */
  refusal?: string;
  /** Where the state alone is not yet a reason to refuse. */
  refusesWhile?: (known: Known) => boolean;
  /** For operators; nothing of a tenant. */
  detail: (known: Known, bounds: Bounds) => string;
}>;

/** A key may have been revoked for this long without us knowing. */
export const staleMs = 1_000;

const seconds = (ms: number) => (Number.isFinite(ms) ? `${Math.round(ms / 1_000)} s` : 'the start');

/** Nothing takes events: neither the log nor what stands in for it. */
export const isLogAway = ({kafka, postgresAwayMs}: Pick<Known, 'kafka' | 'postgresAwayMs'>) =>
  postgresAwayMs !== undefined && (kafka === 'away' || kafka === 'none');

const rules: Readonly<Record<StateName, Rule>> = {
  'kafka-away': {
    holds: ({kafka}) => kafka === 'away' || kafka === 'answering',
    detail: ({kafka, postgresAwayMs}) => {
      if (kafka === 'answering') {
        return 'Kafka answers again; the next event tries it';
      }
      return postgresAwayMs === undefined
        ? 'intents and results go to the outbox'
        : 'intents and results cannot go to the outbox either';
    },
  },
  'postgres-away': {
    holds: ({postgresAwayMs}) => postgresAwayMs !== undefined,
    detail: (_, {leaseTtlMs, staleMaxMs}) =>
      `keys and models are those that are known; budgets last as long as their leases, ${seconds(leaseTtlMs)} at most; everybody is refused after ${seconds(staleMaxMs)}`,
  },
  'log-away': {
    holds: isLogAway,
    refusal: 'requests cannot be recorded',
    detail: ({resultsWaiting}) =>
      `nothing takes intents: new requests are refused; ${resultsWaiting} results wait in memory`,
  },
  'leases-over': {
    holds: ({postgresAwayMs}, {leaseTtlMs}) =>
      postgresAwayMs !== undefined && postgresAwayMs > leaseTtlMs,
    detail: () => 'no lease is left: requests under a budget are refused',
  },
  'outbox-full': {
    holds: ({outbox}, {outboxRows, outboxAgeMs}) =>
      outbox.rows > outboxRows || outbox.ageMs > outboxAgeMs,
    refusal: 'too many events wait to be recorded',
    // While Kafka takes events the outbox only drains.
    refusesWhile: ({kafka}) => kafka === 'away' || kafka === 'none',
    detail: ({outbox: {rows, ageMs}}) =>
      `${rows} events wait in the outbox, the oldest for ${seconds(ageMs)}`,
  },
  'results-full': {
    // As many again have their place: those of the requests that run.
    holds: ({resultsWaiting}, {openRequests}) => resultsWaiting > openRequests,
    refusal: 'too many results wait to be recorded',
    detail: ({resultsWaiting}) => `${resultsWaiting} results wait in memory`,
  },
  'changes-stale': {
    holds: ({changesAgeMs}) => changesAgeMs > staleMs,
    detail: ({changesAgeMs}, {staleMaxMs}) =>
      `changes were not read since ${seconds(changesAgeMs)}: a revoked key may still be served, until ${seconds(staleMaxMs)}`,
  },
  'changes-expired': {
    holds: ({changesAgeMs}, {staleMaxMs}) => changesAgeMs > staleMaxMs,
    refusal: 'revocations cannot be read',
    detail: () => 'what is known of keys is too old: everybody is refused',
  },
  'models-unread': {
    // With PostgreSQL away that is said already.
    holds: ({modelsFailing = false, postgresAwayMs}) =>
      modelsFailing && postgresAwayMs === undefined,
    detail: () => 'models, prices and endpoints are those that were read last',
  },
  'claims-per-process': {
    holds: ({claimsAway}) => claimsAway,
    detail: () => 'idempotency keys are known per process only, because their store is away',
  },
  'limits-per-process': {
    holds: ({limitsAway = false}) => limitsAway,
    detail: () => 'limits are counted per process, each its share, because their store is away',
  },
};

const all = stateNames.map(state => ({state, rule: rules[state]}));
const refusing = all.filter(({rule}) => rule.refusal !== undefined);

const refuses = ({refusal, refusesWhile}: Rule, known: Known) =>
  refusal !== undefined && (refusesWhile === undefined || refusesWhile(known));

export const statesOf = (known: Known, bounds: Bounds): State[] =>
  all
    .filter(({rule}) => rule.holds(known, bounds))
    .map(({state, rule}) => ({
      state,
      refuses: refuses(rule, known),
      detail: rule.detail(known, bounds),
    }));

/** Why new requests are refused; undefined while they are taken. Asked for every request, so it looks no further than it must. */
export const refusalOf = (known: Known, bounds: Bounds): string | undefined => {
  for (const {rule} of refusing) {
    if (rule.holds(known, bounds) && refuses(rule, known)) {
      return rule.refusal;
    }
  }
  return undefined;
};
