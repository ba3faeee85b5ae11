import test from 'ava';
import fc from 'fast-check';
import {formatUsd, parseUsd} from '../../events/money.ts';

const formats = (nanos: bigint, text: string) =>
  test(`${nanos} nano-USD are written ${text}`, t => {
    t.is(formatUsd(nanos), text);
  });

formats(0n, '0.00');
formats(5_000_000_000n, '5.00');
formats(1_500_000_000n, '1.50');
formats(47_450n, '0.00004745');
formats(1n, '0.000000001');
formats(-26_850n, '-0.00002685');
formats(9_007_199_254_740_993_000_000_000n, '9007199254740993.00');

test('an amount that was written is read back exactly', t => {
  fc.assert(
    fc.property(
      fc.bigInt({min: 0n, max: 10n ** 20n}),
      nanos => parseUsd(formatUsd(nanos)) === nanos,
    ),
  );
  t.pass();
});

for (const bad of [
  '',
  ' 1',
  '1.',
  '.5',
  '-1',
  '+1',
  '1e3',
  '01',
  '0.0000000001',
  '1,5',
  'NaN',
  '1'.repeat(13),
  5,
  null,
  undefined,
]) {
  test(`${JSON.stringify(bad)} (${typeof bad}) is no amount, and the message names its field`, t => {
    t.throws(() => parseUsd(bad, 'limit'), {message: /^limit is a decimal text/});
  });
}
