import test from 'ava';
import fc from 'fast-check';
import {shortage} from '../../functions/budget/leases/shortage.ts';

type Facts = Parameters<typeof shortage>[0];

/** 100 are left and 100 wanted, somebody else holds them, and it was waited long enough. */
const facts = (fields: Partial<Facts> = {}): Facts => ({
  remaining: 100,
  paused: false,
  isFresh: true,
  isAllHere: false,
  leastHold: 10,
  wholeHold: 100,
  hasWaited: true,
  ...fields,
});
const any: fc.Arbitrary<Facts> = fc
  .record({
    remaining: fc.option(fc.nat(200), {nil: undefined}),
    paused: fc.boolean(),
    isFresh: fc.boolean(),
    isAllHere: fc.boolean(),
    leastHold: fc.nat(100),
    more: fc.nat(100),
    hasWaited: fc.boolean(),
  })
  .map(({more, ...rest}) => ({...rest, wholeHold: rest.leastHold + more}));

const leadsTo = test.macro({
  exec: (t, fields: Partial<Facts>, expected: ReturnType<typeof shortage>) => {
    t.is(shortage(facts(fields)), expected);
  },
  title: (title = '') => title,
});

test(
  'nobody is refused by what the store said before the first answer',
  leadsTo,
  {remaining: undefined},
  'ask',
);
test(
  'nobody is refused by what the store said long ago',
  leadsTo,
  {isFresh: false, remaining: 0, paused: true},
  'ask',
);
test(
  'a paused budget says that it is paused, whatever is left',
  leadsTo,
  {paused: true, remaining: 0},
  'paused',
);
test(
  'less than the shortest answer is left: exhausted, without waiting',
  leadsTo,
  {remaining: 9, hasWaited: false},
  'exhausted',
);
test('just the shortest answer is left: not exhausted', leadsTo, {remaining: 10}, 'clamp');
test('others hold what is left: they are waited for first', leadsTo, {hasWaited: false}, 'wait');
test(
  'others hold a part of what is left: they are waited for before the answer is made shorter',
  leadsTo,
  {remaining: 50, hasWaited: false},
  'wait',
);
test('others still hold enough: busy, and no shorter answer', leadsTo, {}, 'busy');
test(
  'others still hold what does not suffice: a shorter answer',
  leadsTo,
  {remaining: 99},
  'clamp',
);
test(
  'all that is left is here and does not suffice: a shorter answer, at once',
  leadsTo,
  {remaining: 99, isAllHere: true, hasWaited: false},
  'clamp',
);
test(
  'all that is left is here and suffices, but running requests hold it: they are waited for',
  leadsTo,
  {isAllHere: true, hasWaited: false},
  'wait',
);

test('whatever is known, exhausted means that the shortest answer is not covered, and who waited is not told to wait', t => {
  fc.assert(
    fc.property(any, known => {
      const outcome = shortage(known);
      const isKnown = known.isFresh && known.remaining !== undefined;
      const isCovered = (known.remaining ?? 0) >= known.leastHold;
      t.is(outcome === 'ask', !isKnown);
      t.is(outcome === 'paused', isKnown && known.paused);
      t.is(outcome === 'exhausted', isKnown && !known.paused && !isCovered);
      t.false(outcome === 'wait' && known.hasWaited);
      t.false(outcome === 'busy' && (known.remaining ?? 0) < known.wholeHold);
      t.false(outcome === 'clamp' && (known.remaining ?? 0) >= known.wholeHold);
    }),
  );
});
