import assert from 'node:assert/strict';
import {readFile} from 'node:fs/promises';
import {Ajv2020} from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import test from 'ava';
import fc from 'fast-check';
import type {Event} from '../../events/event.ts';
import {readExternalUsage} from '../../events/external-usage.ts';
import {monthOf, uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import {createMemoryStore} from '../../functions/budget/store-memory.ts';
import {finished, org, started, window} from '../helpers/budget.ts';
import {otherOrg, recorded, seedRegistry} from '../helpers/external-usage.ts';

const now = Date.now();
const limit = 40_000n;

/** Some usage of another router, and some requests of a gateway with a lease of 20,000 of the same window. */
const createWorld = () => {
  const store = createMemoryStore();
  seedRegistry(store.registry);
  const place = window({limit, thresholds: []});
  store.state.windows.set(place.id, place);
  store.adopt(
    {id: place.budget, org, unit: 'usd', limit, thresholds: [], period: 'none'},
    place.id,
  );
  store.grant({id: uuidv7(), window: place.id, amount: 20_000n});
  const [lease] = [...store.state.leases.keys()];
  const own = Array.from({length: 4}, () => uuidv7()).flatMap(request => {
    const use = {window: place, lease: lease as string, hold: 5_000, amount: 3_000};
    return [started(request, [use]), finished(request, [use])];
  });
  return {store, place, own};
};

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

test('whatever the order, the repeats and the cuts into batches, usage of others is charged once and never into a lease', async t => {
  const requests = fc.uniqueArray(fc.integer({min: 0, max: 9}), {minLength: 1, maxLength: 8});
  const plan = fc.tuple(
    requests,
    fc.array(fc.tuple(fc.nat(999), fc.nat(5)), {minLength: 40, maxLength: 40}),
  );
  await fc.assert(
    fc.asyncProperty(plan, async ([names, draws]) => {
      const {store, place, own} = createWorld();
      const handle = debit({store});
      const others = names.map(name => recorded({request: `r${name}`, outputTokens: name}));
      const events = [...own, ...others];
      const queue = [...events, ...draws.map(([which]) => events[which % events.length] as Event)]
        .map((event, index) => ({event, place: (draws[index % 40]?.[0] ?? 0) * 31 + index * 7}))
        .sort((one, other) => (one.place % 97) - (other.place % 97))
        .map(({event}) => event);
      for (let from = 0, cut = 0; from < queue.length; cut += 1) {
        const size = 1 + (draws[cut % 40]?.[1] ?? 0);
        await handle(queue.slice(from, from + size));
        from += size;
        const {spent, leased, overage, ceiling} = store.state.windows.get(place.id) ?? place;
        const charges = [...store.state.ledger.values()].flatMap(entry => entry.charges);
        assert.ok(spent + leased <= ceiling);
        assert.equal(sum(charges.map(({amount}) => amount)), spent + overage);
      }
      const entries = [...store.state.ledger.values()];
      const external = entries.filter(({entry}) => entry === 'external');
      assert.equal(external.length, names.length);
      assert.equal(entries.length, names.length + 4);
      const cost = names.reduce((total, name) => total + 4_000 + name * 1_200, 0);
      assert.equal(
        external.reduce((total, entry) => total + entry.costNanos, 0),
        cost,
      );
      const after = store.state.windows.get(place.id) ?? place;
      assert.equal(after.spent + after.overage, BigInt(cost) + 12_000n);
      assert.equal(after.leased, 8_000n, 'the lease has what its own requests left');
      assert.equal(
        sum(
          entries
            .filter(({entry}) => entry === 'result')
            .map(({charges}) => charges[0]?.overage ?? 0n),
        ),
        0n,
      );
      assert.equal(store.state.deadLetters.size, 0);
    }),
    {numRuns: 150},
  );
  t.pass();
});

const idOf = (event: Event) => {
  const usage = readExternalUsage(event, now);
  if (typeof usage === 'string') {
    throw new Error(usage);
  }
  return usage.request;
};

test('the id follows from organisation, source, request and month, and from nothing else', t => {
  const at = '2026-11-21T10:00:00Z';
  const sameMonth = '2026-11-03T23:00:00-05:00';
  const seen = Date.parse('2026-11-22');
  const id = (data: object, attributes: Partial<Event> = {}) => {
    const usage = readExternalUsage(recorded({request: 'one', at, ...data}, attributes), seen);
    return typeof usage === 'string' ? usage : usage.request;
  };
  const one = id({});
  t.is(monthOf(one), '2026-11-01');
  for (const same of [id({}), id({at: sameMonth}), id({outputTokens: 9}), id({}, {id: 'other'})]) {
    t.is(same, one);
  }
  const others = [
    id({request: 'two'}),
    id({}, {source: '/other'}),
    id({}, {orgid: otherOrg}),
    id({at: '2026-10-31T23:59:59Z'}),
  ];
  t.is(new Set([one, ...others]).size, 5);
  t.notThrows(() => idOf(recorded({at: new Date(now).toISOString()})));
});

test('what the hand takes the schema takes, and what the schema refuses the hand refuses', async t => {
  const file = new URL('../../schemas/events/usage.recorded.v1.json', import.meta.url);
  const ajv = new Ajv2020({strict: false});
  addFormats.default(ajv);
  const fits = ajv.compile(JSON.parse(await readFile(file, 'utf8')));
  const full = recorded({
    cachedInputTokens: 3,
    project: uuidv7(),
    key: uuidv7(),
    operation: 'embeddings',
    streamed: true,
    status: 200,
    latencyMs: 12,
    timeToFirstTokenMs: 3,
    label: 'a label',
  });
  t.is(typeof readExternalUsage(full, now), 'object');
  t.true(fits(full.data));
  const strange = fc.constantFrom<unknown>(
    undefined,
    null,
    true,
    '',
    'x',
    'a\0',
    '\ud800',
    -1,
    0,
    0.5,
    2 ** 53,
    1e300,
    '5',
    [],
    {},
    'x'.repeat(201),
    '2026-11-21',
    '0000-01-01T00:00:00Z',
    uuidv7().toUpperCase(),
  );
  const names = [...Object.keys(full.data as object), 'surprise', '__proto__', 'constructor'];
  fc.assert(
    fc.property(fc.constantFrom(...names), strange, (name, value) => {
      const data = Object.fromEntries([...Object.entries(full.data as object), [name, value]]);
      const event = {...full, data: JSON.parse(JSON.stringify(data))};
      const usage = readExternalUsage(event, now);
      return typeof usage === 'string' || fits(event.data);
    }),
    {numRuns: 1_000},
  );
});
