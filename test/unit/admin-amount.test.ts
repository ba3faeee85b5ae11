import test from 'ava';
import {formatAmount, parseAmount, type Unit} from '../../functions/admin/money/amount.ts';

const read = test.macro((t, unit: Unit, text: string | number, amount: bigint, written: string) => {
  t.is(parseAmount(unit, text, 'limit'), amount);
  t.is(formatAmount(unit, amount), written);
});

test('USD with two decimals are nano-USD', read, 'usd', '5.00', 5_000_000_000n, '5.00');
test('USD with nine decimals lose nothing', read, 'usd', '0.000000001', 1n, '0.000000001');
test('USD without decimals get two', read, 'usd', '5', 5_000_000_000n, '5.00');
test('tokens are what they are, as a number', read, 'tokens', 250_000, 250_000n, '250000');
test(
  'tokens beyond a safe integer are taken as digits',
  read,
  'tokens',
  '9000000000000000000',
  9_000_000_000_000_000_000n,
  '9000000000000000000',
);

const refused = test.macro((t, unit: Unit, text: string | number, message: RegExp) => {
  const error = t.throws(() => parseAmount(unit, text, 'limit'), {message});
  t.like(error, {code: 'bad_request', parameter: 'limit'});
});

test('USD as a number are refused', refused, 'usd', 5, /decimal text/);
test(
  'USD over the bound of the table are refused',
  refused,
  'usd',
  '9000000000.000000001',
  /at most 9000000000\.00/,
);
test('GPU milliseconds are what they are', read, 'gpu_ms', '60000', 60_000n, '60000');
test('half a token is refused', refused, 'tokens', '1.5', /whole number of tokens/);
test('half a millisecond is refused', refused, 'gpu_ms', 0.5, /whole number of GPU milliseconds/);
test(
  'tokens over the bound of the table are refused',
  refused,
  'tokens',
  '9000000000000000001',
  /at most/,
);
