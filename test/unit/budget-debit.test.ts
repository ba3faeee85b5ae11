import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import {priceKey} from '../../functions/budget/store.ts';
import {createMemoryStore} from '../../functions/budget/store-memory.ts';
import {
  afterDeadline,
  due,
  fenced,
  finished,
  lease,
  modelId,
  org,
  price,
  started,
  type Use,
  window,
} from '../helpers/budget.ts';

const now = () => Date.parse('2026-11-21T10:12:00Z');

const setUp = ({limit = 1_000n, granted = 100n, thresholds = [50, 80, 100]} = {}) => {
  const store = createMemoryStore({now});
  const place = window({limit, thresholds});
  const slice = lease(place, {granted: 0n});
  store.state.windows.set(place.id, place);
  store.grant({id: slice.id, window: place.id, amount: granted});
  store.state.prices.set(priceKey(modelId, 1), price);
  const request = uuidv7(Date.parse('2026-11-21T10:00:00Z'));
  const use = (hold: number, amount = 0, more: Partial<Use> = {}): Use => ({
    window: place,
    lease: slice.id,
    hold,
    amount,
    ...more,
  });
  return {
    store,
    request,
    use,
    slice,
    place,
    handle: debit({store, now}),
    window: () => store.state.windows.get(place.id),
    lease: () => store.state.leases.get(slice.id),
    entries: () => [...store.state.ledger.values()].map(({entry}) => entry),
    entry: (name: string) => [...store.state.ledger.values()].find(({entry}) => entry === name),
    sent: () => [...store.state.outbox.values()].map(({id}) => id),
    reasons: () => [...store.state.deadLetters.values()].map(({reason}) => reason),
  };
};

test('an intent opens a request and counts its hold', async t => {
  const {handle, request, use, lease, window, store} = setUp();
  await handle([started(request, [use(60)])]);
  t.like(lease(), {open: 60n, settled: 0n});
  t.like(window(), {spent: 0n, leased: 100n});
  t.deepEqual(store.state.requests.get(request)?.covered, [true]);
});

test('a request that starts and finishes leaves one ledger entry and no open request', async t => {
  const {handle, request, use, lease, window, store, entry} = setUp();
  await handle([started(request, [use(60)]), finished(request, [use(60, 25)])]);
  t.like(lease(), {open: 0n, settled: 25n});
  t.like(window(), {spent: 25n, leased: 75n, overage: 0n});
  t.is(store.state.requests.size, 0);
  t.like(entry('result'), {
    month: '2026-11-01',
    costNanos: 25,
    inputTokens: 10,
    outcome: 'completed',
    at: '2026-11-21T10:00:00.000Z',
  });
  t.like(entry('result')?.charges[0], {hold: 60n, amount: 25n, covered: 25n, overage: 0n});
});

for (const [title, order] of [
  ['a repeated intent does nothing', ['started', 'started', 'finished']],
  ['a repeated result does nothing', ['started', 'finished', 'finished']],
  ['an intent after its result does nothing', ['finished', 'started']],
  [
    'a whole pair delivered twice does nothing the second time',
    ['started', 'finished', 'started', 'finished'],
  ],
] as const) {
  for (const batched of [true, false]) {
    test(`${title}, ${batched ? 'in one batch' : 'in a batch each'}`, async t => {
      const {handle, request, use, lease, window, store, entries} = setUp();
      const events = order.map(name =>
        (name === 'started' ? started : finished)(request, [use(60, 25)]),
      );
      for (const batch of batched ? [events] : events.map(event => [event])) {
        await handle(batch);
      }
      t.like(lease(), {open: 0n, settled: 25n, granted: 100n});
      t.like(window(), {spent: 25n, leased: 75n, overage: 0n});
      t.is(store.state.requests.size, 0);
      t.deepEqual(entries(), ['result']);
    });
  }
}

test('an intent after the marker of its lease has no cover, so its cost is overage', async t => {
  const {handle, request, use, lease, window, store, slice, place} = setUp();
  store.beginFence(slice.id);
  await handle([
    fenced(slice.id, place.id),
    started(request, [use(60)]),
    finished(request, [use(60, 25)]),
  ]);
  t.like(lease(), {state: 'fenced', open: 0n, returned: 100n, settled: 0n});
  t.like(window(), {spent: 0n, leased: 0n, overage: 25n});
});

test('a result whose intent was read before the marker is covered, and its remainder is freed', async t => {
  const {handle, request, use, lease, window, store, slice, place} = setUp();
  await handle([started(request, [use(60)])]);
  store.beginFence(slice.id);
  await handle([fenced(slice.id, place.id)]);
  t.like(window(), {leased: 60n});
  await handle([fenced(slice.id, place.id), finished(request, [use(60, 25)])]);
  t.like(lease(), {returned: 75n, settled: 25n, open: 0n});
  t.like(window(), {spent: 25n, leased: 0n, overage: 0n});
});

test('a marker of a fence that nobody began frees nothing and is noted', async t => {
  const {handle: _, store, slice, place, lease, window} = setUp();
  const notes: string[] = [];
  const handle = debit({store, now, onOutcome: outcome => notes.push(...outcome.voidMarkers)});
  const stranger = uuidv7();
  await handle([fenced(slice.id, place.id), fenced(stranger, place.id)]);
  t.deepEqual(notes, [slice.id, stranger]);
  t.like(lease(), {state: 'open', returned: 0n});
  t.like(window(), {leased: 100n});
});

test('a marker in the name of another organisation is void', async t => {
  const {handle, store, slice, place, lease} = setUp();
  store.beginFence(slice.id);
  await handle([fenced(slice.id, place.id, uuidv7())]);
  t.like(lease(), {state: 'fencing'});
});

test('a result that forgot a budget of its intent still ends that hold', async t => {
  const {handle, request, use, lease, window} = setUp();
  await handle([started(request, [use(60)]), finished(request, [])]);
  t.like(lease(), {open: 0n, settled: 0n});
  t.like(window(), {spent: 0n, leased: 100n});
});

test('a request without a budget is in the ledger', async t => {
  const {handle, request, entries, store} = setUp();
  await handle([started(request, [])]);
  await handle([finished(request, [])]);
  t.deepEqual(entries(), ['result']);
  t.is(store.state.requests.size, 0);
});

test('usage above a hold is charged up to it, the rest is overage, and it is said', async t => {
  const {handle, request, use, window, store} = setUp();
  await handle([started(request, [use(60)]), finished(request, [use(60, 90)])]);
  t.like(window(), {spent: 60n, overage: 30n, leased: 40n});
  const said = [...store.state.outbox.values()].find(({id}) => id === `${request}/implausible`);
  t.like(said, {type: 'dev.sluice.usage.implausible.v1', orgid: org});
  const charges = said?.data as {charges: object[]} | undefined;
  t.like(charges?.charges[0], {hold: 60, amount: 90});
});

const policies = test.macro({
  title: (_title, policy: string, promptBytes: number, hold: number) =>
    `the policy ${policy} settles ${promptBytes} bytes under a hold of ${hold}`,
  async exec(
    t,
    policy: string,
    promptBytes: number,
    hold: number,
    charged: bigint,
    tokens: number,
  ) {
    const {handle, request, use, window, lease, entry, store} = setUp({
      granted: 10_000n,
      limit: 10_000n,
    });
    await handle([
      started(request, [use(hold)], {unsettledPolicy: policy, promptBytes}),
      due(afterDeadline),
    ]);
    t.like(window(), {spent: charged, leased: 10_000n - charged, overage: 0n});
    t.like(lease(), {open: 0n, settled: charged});
    t.like(entry('unsettled'), {
      costNanos: Number(charged),
      inputTokens: tokens,
      outputTokens: 0,
      estimated: true,
      outcome: 'unsettled',
    });
    t.is(store.state.requests.size, 0);
    const said = [...store.state.outbox.values()].find(({id}) => id === `${request}/unsettled`);
    t.like(said?.data, {policy, costNanos: Number(charged), settledAt: '2026-11-21T10:12:00.000Z'});
    t.false(Object.hasOwn(said?.data as object, 'budgets'));
  },
});
test(policies, 'prompt', 40, 5_000, 2_000n, 10);
test(policies, 'prompt', 41, 5_000, 2_200n, 11);
test(policies, 'prompt', 40, 1_500, 1_500n, 10);
test(policies, 'hold', 40, 5_000, 5_000n, 10);
test(policies, 'waive', 40, 5_000, 0n, 0);

test('a request whose deadline the marker does not reach stays open', async t => {
  const {handle, request, use, entries, store} = setUp();
  await handle([started(request, [use(60)]), due('2026-11-21T10:10:00.000Z')]);
  t.deepEqual(entries(), []);
  t.is(store.state.requests.size, 1);
});

test("another organisation's marker settles nothing", async t => {
  const {handle, request, use, entries} = setUp();
  await handle([started(request, [use(60)]), due(afterDeadline, uuidv7())]);
  t.deepEqual(entries(), []);
});

test('a result after the settlement by policy corrects it once, by the difference', async t => {
  const {handle, request, use, window, entries, entry, store} = setUp({
    granted: 10_000n,
    limit: 20_000n,
  });
  await handle([started(request, [use(5_000)])]);
  await handle([due(afterDeadline)]);
  t.like(window(), {spent: 2_000n});
  const late = finished(request, [use(5_000, 4_700)], {inputTokens: 8, outputTokens: 5});
  await handle([late]);
  await handle([late, late]);
  t.deepEqual(entries(), ['unsettled', 'correction']);
  t.like(window(), {spent: 4_700n, overage: 0n});
  t.like(entry('correction'), {
    costNanos: 2_700,
    inputTokens: -2,
    outputTokens: 5,
    outcome: 'completed',
    estimated: false,
  });
  t.like(entry('correction')?.charges[0], {amount: 2_700n, covered: 2_700n});
  const said = [...store.state.outbox.values()].find(({id}) => id === `${request}/corrected`);
  t.like(said?.data, {costNanos: 4_700, differenceNanos: 2_700, inputTokens: 8});
});

test('a correction downwards gives back', async t => {
  const {handle, request, use, window, entry} = setUp({granted: 10_000n, limit: 10_000n});
  await handle([
    started(request, [use(5_000)], {unsettledPolicy: 'hold'}),
    due(afterDeadline),
    finished(request, [use(5_000, 700)]),
  ]);
  t.like(window(), {spent: 700n, leased: 5_000n, overage: 0n});
  t.like(entry('correction'), {costNanos: -4_300});
});

test('thresholds are said once a window, each one that was passed', async t => {
  const {handle, use, place, sent} = setUp({limit: 100n});
  const charge = (amount: number) => {
    const request = uuidv7(now());
    return handle([started(request, [use(amount)]), finished(request, [use(amount, amount)])]);
  };
  const path = `${place.budget}/${place.id}`;
  await charge(49);
  t.deepEqual(sent(), []);
  await charge(1);
  t.deepEqual(sent(), [`${path}/50`]);
  await charge(50);
  t.deepEqual(sent(), [`${path}/50`, `${path}/80`, `${path}/100`, `${path}/exhausted`]);
  await charge(0);
  t.is(sent().length, 4);
});

test('a window is exhausted also where its whole limit is no threshold', async t => {
  const {handle, request, use, place, sent, window} = setUp({limit: 100n, thresholds: [10]});
  await handle([started(request, [use(100)]), finished(request, [use(100, 100)])]);
  t.deepEqual(sent(), [`${place.budget}/${place.id}/10`, `${place.budget}/${place.id}/exhausted`]);
  t.is(window()?.thresholdReached, 100);
});

test('its own events on the log are passed over', async t => {
  const {handle, request, use, store} = setUp();
  await handle([started(request, [use(60)], {unsettledPolicy: 'waive'}), due(afterDeadline)]);
  await handle([...store.state.outbox.values()]);
  t.is(store.state.deadLetters.size, 0);
  t.is(store.state.ledger.size, 1);
});

test('an event that can never be handled becomes a dead letter and the rest of its batch is done', async t => {
  const {handle, request, use, place, entries, reasons, window: current, store} = setUp();
  const good = [started(request, [use(60)]), finished(request, [use(60, 25)])];
  const old = uuidv7(Date.parse('2020-01-01T00:00:00Z'));
  const other = (fields: Partial<Use>) => started(uuidv7(now()), [use(60, 0, fields)]);
  const bad = [
    {...started(uuidv7(now()), [use(60)]), type: 'dev.sluice.unheard.of.v1'},
    {...started(uuidv7(now()), [use(60)]), id: 'another/started'},
    {...started(uuidv7(now()), [use(60)]), orgid: uuidv7()},
    started(uuidv7(now()), [use(60)], {promptBytes: 1.5}),
    started(uuidv7(now()), [use(Number.MAX_SAFE_INTEGER + 1)]),
    started('0192f0c1-7a00-4000-8000-00000000000a', [use(60)]),
    started(old, [use(60)]),
    other({window: window({})}),
    other({window: {...place, budget: uuidv7()}}),
    other({window: {...place, unit: 'tokens'}}),
    {...due(afterDeadline), orgid: 'nobody'},
    {...fenced(uuidv7(), place.id), id: 'x'},
  ];
  await handle([...bad, ...good]);
  t.deepEqual(entries(), ['result']);
  t.is(store.state.deadLetters.size, bad.length, reasons().join('\n'));
  t.like(current(), {spent: 25n});
  await handle([...bad, ...good]);
  t.is(store.state.deadLetters.size, bad.length);
});
