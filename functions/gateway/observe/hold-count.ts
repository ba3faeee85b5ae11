/**
Hold count: what running requests hold, for `/metrics`.

In: holds as they begin and end, once each. Out: how many there are, and their amounts by unit. A hold ends when its result is
durable, or is given up.
*/

import type {Unit} from '../../budget/cost.ts';
import type {Hold} from '../../budget/leases/account.ts';

export const countHolds = () => {
  let open = 0;
  const amounts: Record<Unit, number> = {usd: 0, tokens: 0, gpu_ms: 0};
  const add = (holds: readonly Hold[], sign: 1 | -1) => {
    open += sign * holds.length;
    for (const {unit, hold} of holds) {
      amounts[unit] += sign * hold;
    }
  };
  return {
    begin: (holds: readonly Hold[]) => add(holds, 1),
    end: (holds: readonly Hold[]) => add(holds, -1),
    state: () => ({open, amounts: {...amounts}}),
  };
};

export type HoldCount = ReturnType<typeof countHolds>;
