/**
Circuit: whether an endpoint that failed may be tried again, as a state and what happens to it.

In: failures and successes of requests, a clock. Out: the next state. Some failures in a row open it; it stays open for a second, twice as
long after each trial that failed, and then lets one request through. Any success closes it: also one of a request that began before
it opened shows that the endpoint works.
*/
export type Circuit = Readonly<{
  /** In a row, while it is closed. */
  failures: number;
  /** How often in a row it opened; 0: it is closed. */
  opened: number;
  openUntilMs: number;
  /** A trial runs, or ran until it was forgotten. */
  trialUntilMs: number;
}>;

export const circuitRules = {
  failuresMax: 5,
  openMs: 1_000,
  openMaxMs: 30_000,
  /** A trial that has said nothing for so long does not keep the next one out. */
  trialMs: 10_000,
} as const;

export type CircuitRules = {readonly [Name in keyof typeof circuitRules]: number};

const never = Number.NEGATIVE_INFINITY;

/** One object for all that are closed and have not failed, so that the usual case is told by identity. */
export const closed: Circuit = {failures: 0, opened: 0, openUntilMs: never, trialUntilMs: never};

export const isOpen = ({opened}: Circuit) => opened > 0;

/** Whether a request may go there; of an open circuit it is the trial. */
export const allows = (circuit: Circuit, nowMs: number) =>
  circuit === closed || circuit.opened === 0 || nowMs >= reopensMs(circuit);

/** When the next request may go there. */
export const reopensMs = ({openUntilMs, trialUntilMs}: Circuit) =>
  Math.max(openUntilMs, trialUntilMs);

export const onTrial = (circuit: Circuit, nowMs: number, rules: CircuitRules = circuitRules) => ({
  ...circuit,
  trialUntilMs: nowMs + rules.trialMs,
});

/** Open at once, and due for a trial: nothing is behind the endpoint, as far as is known. */
export const openNow = (nowMs: number): Circuit => ({...closed, opened: 1, openUntilMs: nowMs});

/** The trial ended without a word about the endpoint: the next may begin. */
export const withoutTrial = (circuit: Circuit): Circuit => ({...circuit, trialUntilMs: never});

export const afterFailure = (
  circuit: Circuit,
  isTrial: boolean,
  nowMs: number,
  rules: CircuitRules = circuitRules,
): Circuit => {
  const failures = circuit.failures + 1;
  if (circuit.opened === 0 && failures < rules.failuresMax) {
    return {...circuit, failures};
  }
  if (circuit.opened > 0 && !isTrial) {
    // It began before the circuit opened: what it says is known.
    return circuit;
  }
  const openMs = Math.min(rules.openMs * 2 ** Math.min(circuit.opened, 30), rules.openMaxMs);
  return {
    failures: 0,
    opened: circuit.opened + 1,
    openUntilMs: nowMs + openMs,
    trialUntilMs: never,
  };
};
