import test from 'ava';
import fc from 'fast-check';
import {isoTime} from '../../events/iso-time.ts';

test('an instant is the text that a date makes of it, in whatever order they come', t => {
  const instant = fc.integer({min: 0, max: 253_402_300_799_999});
  fc.assert(
    fc.property(instant, fc.array(fc.nat({max: 3_000}), {maxLength: 20}), (first, steps) =>
      [0, ...steps].every(step => {
        const ms = Math.min(first + step, 253_402_300_799_999);
        return isoTime(ms) === new Date(ms).toISOString();
      }),
    ),
  );
  t.is(isoTime(0), '1970-01-01T00:00:00.000Z');
});
