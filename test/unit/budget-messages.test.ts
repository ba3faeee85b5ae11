import {readFile} from 'node:fs/promises';
import {Ajv2020} from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import test from 'ava';
import fc from 'fast-check';
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {readMessages} from '../../functions/budget/messages.ts';
import {due, fenced, finished, lease, started, window} from '../helpers/budget.ts';

const place = window();
const use = {window: place, lease: lease(place).id, hold: 60, amount: 25};
const sound: Record<string, Event> = {
  'inference.started': started(uuidv7(), [use], {label: 'a label'}),
  'inference.finished': finished(uuidv7(), [use], {timeToFirstTokenMs: 3}),
  'lease.fenced': fenced(uuidv7(), uuidv7()),
  'settlement.due': due('2026-11-21T10:00:00Z'),
};

const validators = async () => {
  const ajv = new Ajv2020({strict: false});
  addFormats.default(ajv);
  const entries = Object.keys(sound).map(async name => {
    const file = new URL(`../../schemas/events/${name}.v1.json`, import.meta.url);
    return [name, ajv.compile(JSON.parse(await readFile(file, 'utf8')))] as const;
  });
  return new Map(await Promise.all(entries));
};

const isTaken = (event: Event) => readMessages([event]).messages.length === 1;

test('sound events are taken, by hand and by schema', async t => {
  const schemas = await validators();
  for (const [name, event] of Object.entries(sound)) {
    t.true(schemas.get(name)?.(event.data), name);
    t.deepEqual(readMessages([event]).deadLetters, []);
  }
});

const strange = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    true,
    '',
    'x',
    -1,
    0,
    1,
    0.5,
    2 ** 53,
    1e300,
    [],
    {},
    [null],
    [{}],
    'prompt',
    'usd',
  ),
  fc.constantFrom<unknown>(
    'a'.repeat(201),
    'a'.repeat(2_049),
    '2026-13-01T00:00:00Z',
    '2026-11-21',
    'a\0b',
    '\ud800',
  ),
  fc.string(),
  fc.integer(),
  fc.uuid(),
  fc.date({noInvalidDate: true}).map(date => date.toISOString()),
);
const firstBudget = (data: Record<string, unknown>) =>
  (data.budgets as Record<string, unknown>[] | undefined)?.[0];

test('what the schema refuses is never taken', async t => {
  const schemas = await validators();
  const fields = ['amount', 'hold', 'unit', 'window', 'lease', 'budget', 'unknown'];
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(sound)),
      strange,
      fc.nat(30),
      fc.boolean(),
      (name, value, index, inBudget) => {
        const event = structuredClone(sound[name]) as Event & {data: Record<string, unknown>};
        const names = inBudget ? fields : [...Object.keys(event.data), 'unknown', '__proto__'];
        const target = inBudget ? (firstBudget(event.data) ?? event.data) : event.data;
        Object.defineProperty(target, names[index % names.length] as string, {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        });
        // As it would come over the wire: what JSON cannot say is absent.
        const wired = JSON.parse(JSON.stringify(event)) as Event;
        if (isTaken(wired)) {
          fc.pre(true);
          return schemas.get(name)?.(wired.data) === true;
        }
        return true;
      },
    ),
    {numRuns: 3_000},
  );
  t.pass();
});

for (const [title, fields] of [
  ['an id in capitals', {key: '0192F0C1-7A00-7000-8000-00000000000C'}],
  ['a text with NUL', {model: 'a\0b'}],
  ['a lone surrogate', {label: '\ud800'}],
  ['a year that PostgreSQL does not have', {startedAt: '0000-01-01T00:00:00Z'}],
  ['a version that its column cannot keep', {priceVersion: 2 ** 31}],
  [
    'two holds on one window',
    {
      budgets: [use, use].map(({window, lease, hold}) => ({
        budget: window.budget,
        window: window.id,
        lease,
        unit: 'usd',
        hold,
      })),
    },
  ],
] as const) {
  test(`${title} would break a statement, so it is not taken`, t => {
    t.false(isTaken(started(uuidv7(), [use], fields)));
    t.true(isTaken(started(uuidv7(), [use])));
  });
}
