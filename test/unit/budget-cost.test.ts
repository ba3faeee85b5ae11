import test from 'ava';
import fc from 'fast-check';
import {requestNanosMax} from '../../events/limits.ts';
import {costOf, holdOf, outputCovered, type Price} from '../../functions/budget/cost.ts';

const price: Price = {
  free: false,
  inputPerMillion: 200_000_000,
  outputPerMillion: 600_000_000,
  inputGpuMsPerMillion: 0,
  outputGpuMsPerMillion: 40_000,
};
const free: Price = {...price, free: true, inputPerMillion: 0, outputPerMillion: 0};
const tokens = (inputTokens: number, outputTokens: number, cachedInputTokens = 0) => ({
  inputTokens,
  outputTokens,
  cachedInputTokens,
});

test('a cost is the sum of tokens and price, in nano-USD', t => {
  t.is(costOf('usd', price, tokens(1_000_000, 0)), 200_000_000);
  t.is(costOf('usd', price, tokens(103, 57)), 54_800);
});

test('a cost rounds half to even, once', t => {
  const odd = {...price, inputPerMillion: 1, outputPerMillion: 0};
  t.is(costOf('usd', odd, tokens(500_000, 0)), 0);
  t.is(costOf('usd', odd, tokens(1_500_000, 0)), 2);
  t.is(costOf('usd', odd, tokens(2_500_000, 0)), 2);
  t.is(costOf('usd', odd, tokens(500_001, 0)), 1);
});

test('a hold rounds up', t => {
  t.is(
    holdOf(
      'usd',
      {...price, inputPerMillion: 1, outputPerMillion: 0},
      {inputTokens: 1, outputTokens: 0},
    ),
    1,
  );
});

test('cached tokens have a price of their own, and a hold counts none of them', t => {
  const cached = {...price, cachedInputPerMillion: 20_000_000};
  t.is(costOf('usd', cached, tokens(100, 0, 60)), (40 * 200_000_000 + 60 * 20_000_000) / 1_000_000);
  t.is(holdOf('usd', cached, {inputTokens: 100, outputTokens: 0}), 20_000);
});

test('a free model costs nothing in money and everything in tokens', t => {
  t.is(costOf('usd', free, tokens(5, 5)), 0);
  t.is(costOf('tokens', free, tokens(5, 6)), 11);
});

const amount = fc.integer({min: 0, max: 10_000_000});
const anyPrice = fc
  .integer({min: 0, max: 1_000_000_000_000})
  .map(value => ({...price, inputPerMillion: value, outputPerMillion: value + 1}));

test('large costs are exact where a number is not', t => {
  fc.assert(
    fc.property(anyPrice, amount, amount, (dear, input, output) => {
      const sum =
        BigInt(input) * BigInt(dear.inputPerMillion) +
        BigInt(output) * BigInt(dear.outputPerMillion);
      const floor = sum / 1_000_000n;
      const rest = sum % 1_000_000n;
      const expected =
        rest > 500_000n || (rest === 500_000n && floor % 2n === 1n) ? floor + 1n : floor;
      t.is(
        BigInt(costOf('usd', dear, tokens(input, output))),
        expected > BigInt(requestNanosMax) ? BigInt(requestNanosMax) : expected,
      );
    }),
  );
});

test('no cost is more than one request may cost, whatever a model server reports', t => {
  const dearest = {...price, outputPerMillion: 1_000_000_000_000_000};
  t.is(costOf('usd', dearest, tokens(0, 1_000_000_000)), requestNanosMax);
  t.true(holdOf('usd', dearest, {inputTokens: 0, outputTokens: 1_000_000_000}) > requestNanosMax);
});

test('no cost is above the hold of the same tokens, and what an amount covers never holds more than it', t => {
  fc.assert(
    fc.property(anyPrice, amount, amount, amount, (dear, input, output, money) => {
      t.true(
        costOf('usd', dear, tokens(input, output)) <=
          holdOf('usd', dear, {inputTokens: input, outputTokens: output}),
      );
      const covered = outputCovered('usd', dear, input, money);
      if (covered >= 0) {
        t.true(
          holdOf('usd', dear, {inputTokens: input, outputTokens: Math.min(covered, 1e9)}) <= money,
        );
      }
    }),
  );
});
