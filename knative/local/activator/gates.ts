/**
Gates: one for each function of the plan, and the way in by name.

In: the plan of each function, whether functions go to zero. Out: gates. `Enter` is what senders take as a parameter.
*/
import type {FunctionPlan} from '../plan/plan.ts';
import type {Child} from '../processes.ts';
import {
  createGate,
  type Entered,
  type EnterOptions,
  type Gate,
  type GateOptions,
  type Refused,
  refused,
} from './gate.ts';

export type Enter = (functionName: string, options?: EnterOptions) => Promise<Entered | Refused>;

type GatedPlan = Pick<
  FunctionPlan,
  | 'name'
  | 'timeoutSeconds'
  | 'responseStartTimeoutSeconds'
  | 'idleTimeoutSeconds'
  | 'containerConcurrency'
  | 'minScale'
>;

/** Knative's own maximum. */
const timeoutMaxSeconds = 600;

const toMs = (seconds: number | undefined) => (seconds ? seconds * 1_000 : undefined);

/** `scaleToZeroMs` undefined: every function keeps its process, and what it cannot take now is refused at once. */
export const rulesOf = (
  plan: GatedPlan,
  scaleToZeroMs: number | undefined,
): Pick<GateOptions, 'rules' | 'timeouts' | 'idleMs'> => ({
  rules: {
    concurrency: plan.containerConcurrency,
    holds: scaleToZeroMs !== undefined,
    mayBeZero: scaleToZeroMs !== undefined && plan.minScale === 0,
  },
  timeouts: {
    totalMs: (plan.timeoutSeconds || timeoutMaxSeconds) * 1_000,
    responseStartMs: toMs(plan.responseStartTimeoutSeconds),
    idleMs: toMs(plan.idleTimeoutSeconds),
  },
  idleMs: scaleToZeroMs ?? 0,
});

export const createGates = <Plan extends GatedPlan>({
  plans,
  scaleToZeroMs,
  restMsOf,
  startChild,
}: {
  plans: readonly Plan[];
  scaleToZeroMs: number | undefined;
  restMsOf: (plan: Plan) => number;
  startChild: (plan: Plan, hooks: Parameters<GateOptions['startChild']>[0]) => Child;
}): ReadonlyMap<string, Gate> =>
  new Map(
    plans.map(plan => [
      plan.name,
      createGate({
        name: plan.name,
        ...rulesOf(plan, scaleToZeroMs),
        restMs: restMsOf(plan),
        startChild: hooks => startChild(plan, hooks),
      }),
    ]),
  );

export const enterBy = (gateOf: (name: string) => Gate | undefined): Enter =>
  async function enter(functionName, options) {
    return (await gateOf(functionName)?.enter(options)) ?? refused(functionName, 'away');
  };
