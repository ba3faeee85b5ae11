import test from 'ava';
import fc from 'fast-check';
import {isUuid, monthOf, timeOf, uuidv7} from '../../events/uuid.ts';

const time = fc.integer({min: 0, max: 2 ** 48 - 1});

test('an id is a UUID of version 7 that carries its time', t => {
  fc.assert(
    fc.property(time, nowMs => {
      const id = uuidv7(nowMs);
      t.regex(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      t.true(isUuid(id));
      t.is(timeOf(id), nowMs);
    }),
  );
});

test('ids of a later millisecond sort after those of an earlier', t => {
  fc.assert(
    fc.property(fc.nat(2 ** 48 - 2), nowMs => t.true(uuidv7(nowMs) < uuidv7(nowMs + 1))),
    {numRuns: 50},
  );
});

test('ids of one millisecond differ', t => {
  t.is(new Set(Array.from({length: 20_000}, () => uuidv7(1))).size, 20_000);
});

test('the month is that of the time, in UTC', t => {
  t.is(monthOf(uuidv7(Date.parse('2026-11-30T23:59:59.999Z'))), '2026-11-01');
  t.is(monthOf(uuidv7(Date.parse('2026-12-01T00:00:00.000Z'))), '2026-12-01');
  t.is(monthOf(uuidv7(0)), '1970-01-01');
});

test('a time beyond what a date can say has no month', t => {
  t.is(monthOf(uuidv7(Date.parse('9999-12-31T23:59:59Z'))), '9999-12-01');
  t.is(monthOf(uuidv7(2 ** 48 - 1)), undefined);
});

test('an id of another version has no time', t => {
  const random = '0192f0c1-7a00-4000-8000-00000000000a';
  t.true(isUuid(random));
  t.is(timeOf(random), undefined);
  t.is(monthOf('x'), undefined);
});

for (const text of [
  '',
  '0192f0c1-7a00-7000-8000-00000000000A',
  '0192f0c1-7a00-7000-c000-00000000000a',
  '0192f0c1-7a00-7000-8000-00000000000a\n',
  '{0192f0c1-7a00-7000-8000-00000000000a}',
  5,
  null,
]) {
  test(`${JSON.stringify(text)} is no id`, t => {
    t.false(isUuid(text));
  });
}
