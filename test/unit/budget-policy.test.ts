import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import type {Price} from '../../functions/budget/cost.ts';
import {estimate} from '../../functions/budget/policy.ts';
import type {Intent} from '../../functions/budget/store.ts';
import {price, started, window} from '../helpers/budget.ts';

type Held = readonly (readonly [unit: 'usd' | 'tokens' | 'gpu_ms', hold: number])[];

const intentOf = (fields: Partial<Intent>, held: Held) =>
  started(
    uuidv7(),
    held.map(([unit, hold]) => ({window: window({unit}), lease: uuidv7(), hold})),
    fields,
  ).data as Intent;

const estimates = test.macro(
  (
    t,
    intent: {fields: Partial<Intent>; held: Held; price?: Price | undefined},
    expected: Partial<ReturnType<typeof estimate>>,
  ) => {
    t.like(
      estimate(intentOf(intent.fields, intent.held), 'price' in intent ? intent.price : price),
      expected,
    );
  },
);

const prompt = {unsettledPolicy: 'prompt', promptBytes: 42} as const;

test(
  'a prompt is its bytes ÷ 4, rounded up, in every unit',
  estimates,
  {
    fields: prompt,
    held: [
      ['usd', 9_999],
      ['tokens', 500],
      ['gpu_ms', 100],
    ],
    price: {...price, inputGpuMsPerMillion: 2_000_000},
  },
  {inputTokens: 11, costNanos: 2_200, amounts: [2_200, 11, 22]},
);
test(
  'a prompt is never more than a hold, and budgets in USD agree on one cost',
  estimates,
  {
    fields: prompt,
    held: [
      ['usd', 9_999],
      ['usd', 1_000],
      ['tokens', 500],
    ],
  },
  {inputTokens: 11, costNanos: 1_000, amounts: [1_000, 1_000, 11]},
);
test(
  'tokens are no more than a hold in tokens, and cost accordingly',
  estimates,
  {
    fields: prompt,
    held: [
      ['tokens', 5],
      ['usd', 9_999],
    ],
  },
  {inputTokens: 5, costNanos: 1_000, amounts: [5, 1_000]},
);
test(
  'a cost rounds half to even, once',
  estimates,
  {
    fields: {...prompt, promptBytes: 4},
    held: [['usd', 10]],
    price: {...price, inputPerMillion: 2_500_000},
  },
  {costNanos: 2, amounts: [2]},
);
test(
  'a free model costs nothing',
  estimates,
  {fields: prompt, held: [], price: {...price, free: true, inputPerMillion: 0}},
  {costNanos: 0, inputTokens: 11},
);
test(
  'a price that is gone with its model makes the hold the charge, and says so',
  estimates,
  {
    fields: prompt,
    held: [
      ['usd', 700],
      ['tokens', 50],
    ],
    price: undefined,
  },
  {policy: 'hold', costNanos: 700, amounts: [700, 50]},
);
test(
  'a request without a budget in USD is still priced under the policy hold',
  estimates,
  {fields: {...prompt, unsettledPolicy: 'hold'}, held: [['tokens', 50]]},
  {policy: 'hold', costNanos: 2_200, amounts: [50], inputTokens: 11},
);
test(
  'nothing is charged of what is waived',
  estimates,
  {fields: {...prompt, unsettledPolicy: 'waive'}, held: [['usd', 700]]},
  {policy: 'waive', costNanos: 0, amounts: [0], inputTokens: 0},
);
