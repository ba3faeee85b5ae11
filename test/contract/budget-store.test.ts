import test, {type ExecutionContext} from 'ava';
import {refusedBy} from '../../events/dead-letters.ts';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import type {Changes, Keys} from '../../functions/budget/store.ts';
import {createPostgresStore} from '../../functions/budget/store-postgres.ts';
import {due, fenced, finished, lease, org, started, type Use, window} from '../helpers/budget.ts';
import {
  type Contents,
  type Harness,
  memoryHarness,
  postgresHarness,
} from '../helpers/budget-store.ts';

const late = new Date(Date.now() - 3_600_000).toISOString();
const nothing: Changes = {
  windows: [],
  leases: [],
  opened: [],
  closed: [],
  entries: [],
  outbox: [],
  deadLetters: [],
};
const noKeys: Keys = {
  orgs: [],
  months: [],
  requests: [],
  windows: [],
  leases: [],
  prices: [],
  due: [],
  external: [],
};

/** Three budgets, one lease each; a request touches all of them. */
const setUp = async (harness: Harness) => {
  const windows = [
    window({limit: 100_000n, leased: 50_000n}),
    window({limit: 100_000n, leased: 50_000n}),
    window({limit: 500n, leased: 400n, unit: 'tokens'}),
  ];
  const leases = windows.map(row => lease(row, {granted: row.leased}));
  await harness.seed(windows, leases);
  const uses = (hold: number, amount: number, tokens = 15): Use[] =>
    windows.map((row, index) => ({
      window: row,
      lease: (leases[index] as {id: string}).id,
      hold: row.unit === 'tokens' ? 60 : hold,
      amount: row.unit === 'tokens' ? tokens : amount,
    }));
  return {windows, leases, uses, handle: debit({store: harness.store})};
};

const both = (title: string, work: (t: ExecutionContext, harness: Harness) => Promise<void>) => {
  test(`${title}, in memory`, async t => work(t, await memoryHarness()));
  test(`${title}, in PostgreSQL`, async t => work(t, await postgresHarness(t)));
};

both('a request is debited from all of its budgets', async (t, harness) => {
  const {windows, leases, uses, handle} = await setUp(harness);
  const atMs = Date.now();
  const [one, two] = [uuidv7(atMs), uuidv7(atMs)];
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
  await handle([
    started(one, uses(5_000, 0)),
    {...finished(one, uses(5_000, 3_000)), traceparent},
    started(two, uses(700, 0)),
  ]);
  const contents = await harness.contents();
  t.is(
    contents.windows[windows[0]?.id as string],
    'spent 3000 leased 47000 overage 0 ceiling 100000 threshold 0',
  );
  t.is(
    contents.windows[windows[2]?.id as string],
    'spent 15 leased 385 overage 0 ceiling 500 threshold 0',
  );
  t.is(
    contents.leases[leases[0]?.id as string],
    'open granted 50000 settled 3000 returned 0 open 700',
  );
  t.deepEqual(contents.requests, [two]);
  t.deepEqual(contents.ledger, [
    `${new Date(atMs).toISOString().slice(0, 7)}-01 ${one} result 3000 3000,3000,15 ${traceparent}`,
  ]);
});

both('a batch delivered again changes nothing', async (t, harness) => {
  const {uses, handle} = await setUp(harness);
  const [one, two, three] = [uuidv7(), uuidv7(), uuidv7()];
  const batches = [
    [
      started(one, uses(5_000, 0)),
      started(two, uses(700, 0), {deadline: late}),
      {...started(uuidv7(), []), id: 'x'},
    ],
    [
      finished(one, uses(5_000, 60_000, 300)),
      due(new Date().toISOString()),
      finished(three, uses(9, 7)),
    ],
    [finished(two, uses(700, 600))],
  ];
  const seen: Contents[] = [];
  for (const batch of batches) {
    await handle(batch);
    const once = await harness.contents();
    await handle(batch);
    await handle([...batch].reverse());
    t.deepEqual(await harness.contents(), once);
    seen.push(once);
  }
  t.deepEqual(
    seen
      .at(-1)
      ?.ledger.map(line => line.split(' ')[2])
      .sort(),
    ['correction', 'result', 'result', 'unsettled'],
  );
  t.is(seen.at(-1)?.buried.length, 1);
});

both(
  'an open request outlives its batch, and its result settles it by its intent',
  async (t, harness) => {
    const {windows, leases, uses, handle} = await setUp(harness);
    const request = uuidv7();
    await handle([started(request, uses(5_000, 0))]);
    await harness.beginFence(leases[0]?.id as string);
    await handle([fenced(leases[0]?.id as string, windows[0]?.id as string)]);
    let contents = await harness.contents();
    t.is(
      contents.leases[leases[0]?.id as string],
      'fenced granted 50000 settled 0 returned 45000 open 5000',
    );
    await handle([finished(request, uses(5_000, 3_000))]);
    contents = await harness.contents();
    t.is(
      contents.leases[leases[0]?.id as string],
      'fenced granted 50000 settled 3000 returned 47000 open 0',
    );
    t.is(
      contents.windows[windows[0]?.id as string],
      'spent 3000 leased 0 overage 0 ceiling 100000 threshold 0',
    );
  },
);

both(
  'what is overdue is settled by its policy, and a late result corrects it in the windows of its intent',
  async (t, harness) => {
    const {windows, uses, handle} = await setUp(harness);
    const request = uuidv7();
    await handle([started(request, uses(5_000, 0), {deadline: late})]);
    await handle([due(new Date().toISOString())]);
    let contents = await harness.contents();
    t.deepEqual(contents.requests, []);
    t.is(
      contents.windows[windows[0]?.id as string],
      'spent 2000 leased 48000 overage 0 ceiling 100000 threshold 0',
    );
    t.deepEqual(contents.sent, [`${request}/unsettled`]);
    // The result names only one of the budgets; the others are corrected to nothing.
    await handle([finished(request, uses(5_000, 300).slice(1, 2))]);
    contents = await harness.contents();
    t.regex(contents.ledger[0] as string, / correction -1700 -2000,-1700,-10 /);
    t.deepEqual(
      windows.map(row => contents.windows[row.id]?.split(' ')[1]),
      ['0', '300', '0'],
    );
  },
);

both("only one organisation's requests are settled by its marker", async (t, harness) => {
  const {uses, handle} = await setUp(harness);
  const request = uuidv7();
  await handle([started(request, uses(5_000, 0), {deadline: late})]);
  await handle([due(new Date().toISOString(), uuidv7())]);
  t.deepEqual((await harness.contents()).requests, [request]);
});

both('thresholds and what is implausible are said once', async (t, harness) => {
  const {windows, uses, handle} = await setUp(harness);
  const request = uuidv7();
  await handle([started(request, uses(5_000, 0)), finished(request, uses(5_000, 3_000, 500))]);
  const path = `${windows[2]?.budget}/${windows[2]?.id}`;
  const contents = await harness.contents();
  t.deepEqual(
    contents.sent,
    [
      `${path}/50`,
      `${path}/80`,
      `${path}/100`,
      `${path}/exhausted`,
      `${request}/implausible`,
    ].sort(),
  );
  t.is(
    contents.windows[windows[2]?.id as string],
    'spent 60 leased 340 overage 440 ceiling 500 threshold 100',
  );
});

both('a month that is too far from now is refused, the present one is not', async (t, {store}) => {
  const present = `${new Date().toISOString().slice(0, 7)}-01`;
  t.deepEqual(
    await store.openMonths([present, '2001-01-01', '2099-01-01']),
    new Set(['2001-01-01', '2099-01-01']),
  );
  t.deepEqual(await store.openMonths([present]), new Set());
});

both('the events of a request from long ago are dead letters', async (t, harness) => {
  const {uses, handle} = await setUp(harness);
  await handle([
    started(uuidv7(Date.UTC(2001)), uses(1, 0)),
    finished(uuidv7(Date.UTC(2001)), uses(1, 0)),
  ]);
  const contents = await harness.contents();
  t.is(contents.buried.length, 2);
  t.deepEqual(contents.ledger, []);
});

both(
  'an event that breaks every rule of texts is still stored as a dead letter',
  async (t, harness) => {
    const {handle} = await setUp(harness);
    await handle([
      {
        ...started(uuidv7(), []),
        id: 'a\0b',
        source: '\ud800',
        orgid: 'nobody',
        data: {'\0': '\udfff'},
      },
    ]);
    t.is((await harness.contents()).buried.length, 1);
  },
);

both(
  'markers are sent for leases and requests that are due, and for no others',
  async (t, harness) => {
    const {leases, uses, handle} = await setUp(harness);
    await handle([
      started(uuidv7(), uses(1, 0), {deadline: late}),
      started(uuidv7(), uses(1, 0), {deadline: new Date(Date.now() + 60_000).toISOString()}),
    ]);
    await harness.expire(leases[1]?.id as string, 30_000);
    t.deepEqual(await harness.store.reconcile({leaseMs: 60_000, requestMs: 7_200_000}), {
      fences: 0,
      settlements: 0,
    });
    t.deepEqual(await harness.store.reconcile({leaseMs: 15_000, requestMs: 60_000}), {
      fences: 1,
      settlements: 1,
    });
    const {sent, leases: after} = await harness.contents();
    t.deepEqual(sent, [`${leases[1]?.id}/fenced`, `${org}/settlement/${Date.parse(late)}`].sort());
    t.regex(after[leases[1]?.id as string] as string, /^fencing /);
  },
);

both('a transaction whose work throws leaves nothing', async (t, harness) => {
  const {uses, handle} = await setUp(harness);
  await handle([started(uuidv7(), uses(5, 0))]);
  const before = await harness.contents();
  await t.throwsAsync(
    harness.store.transaction(noKeys, () => {
      throw new Error('a crash');
    }),
    {message: 'a crash'},
  );
  t.deepEqual(await harness.contents(), before);
});

both(
  'a transaction that breaks a constraint with its last row leaves nothing',
  async (t, harness) => {
    const {windows, uses, handle} = await setUp(harness);
    const request = uuidv7();
    await handle([started(request, uses(5, 0))]);
    const before = await harness.contents();
    const keys = {...noKeys, windows: windows.map(row => row.id)};
    const letter = refusedBy('budget', started(uuidv7(), []), 'because');
    await t.throwsAsync(
      harness.store.transaction(keys, loaded => ({
        ...nothing,
        closed: [request],
        windows: [...loaded.windows.values()]
          .filter(row => row.id === windows[0]?.id)
          .map(row => ({...row, spent: row.ceiling + 1n})),
        deadLetters: [letter],
      })),
    );
    t.deepEqual(await harness.contents(), before);
  },
);

test('a dead letter is committed with its batch or not at all', async t => {
  const harness = await postgresHarness(t);
  const {uses, handle} = await setUp(harness);
  const bad = {...started(uuidv7(), []), id: 'x'};
  const request = uuidv7();
  await harness.root.query('alter table ledger add constraint fault check (false) not valid');
  await t.throwsAsync(handle([bad, started(request, uses(5, 0)), finished(request, uses(5, 3))]));
  t.deepEqual((await harness.contents()).buried, []);
  await harness.root.query('alter table ledger drop constraint fault');
  await handle([bad, started(request, uses(5, 0)), finished(request, uses(5, 3))]);
  const contents = await harness.contents();
  t.is(contents.buried.length, 1);
  t.is(contents.ledger.length, 1);
});

test('debits of many batches at once over the same windows all end, and every request is charged once', async t => {
  const harness = await postgresHarness(t);
  const {windows, uses, handle} = await setUp(harness);
  const requests = Array.from({length: 60}, () => uuidv7());
  const batches = requests.flatMap((request, index) => {
    const order = <Item>(list: Item[]) => (index % 2 === 0 ? list : list.reverse());
    const touched = order(uses(10, 7, 1));
    return [
      [started(request, touched)],
      order([finished(request, touched), started(request, touched)]),
    ];
  });
  const stores = [0, 1].map(() => debit({store: harness.store}));
  await Promise.all(batches.map((batch, index) => (stores[index % 2] as typeof handle)(batch)));
  const contents = await harness.contents();
  t.is(contents.ledger.length, requests.length);
  t.deepEqual(contents.requests, []);
  t.is(
    contents.windows[windows[0]?.id as string],
    'spent 420 leased 49580 overage 0 ceiling 100000 threshold 0',
  );
});

test('debits and the lease work of gateways over the same windows never wait in a circle', async t => {
  const harness = await postgresHarness(t);
  const {uses, windows, leases} = await setUp(harness);
  const gateway = uuidv7();
  await harness.root.query('update leases set gateway_id = $1', [gateway]);
  // One attempt each: a deadlock must show, not be repeated away.
  const handle = debit({store: createPostgresStore({pool: harness.pool, attempts: 1})});
  const ids = leases.map(row => row.id);
  const orders = [ids, [...ids].reverse(), [ids[1], ids[2], ids[0]], [ids[0], ids[2], ids[1]]];
  const renew = (round: number) => {
    // A lease that is renewed is not of the window that is asked for.
    const work = {
      renewals: orders[round % 4],
      grants: [{budget: windows[round % 3]?.budget, slice: 1}],
    };
    return harness.root.query('select lease_work($1, $2, 60000, $3)', [
      gateway,
      'production',
      JSON.stringify(work),
    ]);
  };
  const charge = (round: number) => {
    const request = uuidv7();
    const touched = uses(10, 7, 1).filter((_, index) => index !== round % 3);
    return handle([started(request, touched), finished(request, touched)]);
  };
  await t.notThrowsAsync(
    Promise.all(Array.from({length: 80}, (_, round) => Promise.all([charge(round), renew(round)]))),
  );
  t.is((await harness.contents()).ledger.length, 80);
});

test('a batch that the database asks to repeat is repeated, a few times', async t => {
  const harness = await postgresHarness(t);
  const {uses, handle} = await setUp(harness);
  await harness.root.query('create sequence faults');
  await harness.root.query('grant usage on sequence faults to sluice_system');
  await harness.root.query(`create function fail() returns trigger language plpgsql as $$ begin
    if nextval('faults') in (1, 2, 3, 10, 11, 12, 13) then raise exception 'so unlucky' using errcode = '40P01'; end if;
    return null; end $$`);
  await harness.root.query(
    'create trigger fail after insert on ledger for each statement execute function fail()',
  );
  const [one, two] = [uuidv7(), uuidv7()];
  await handle([finished(one, uses(5, 3))]);
  t.is((await harness.contents()).ledger.length, 1);
  await harness.root.query(`select setval('faults', 9)`);
  await t.throwsAsync(handle([finished(two, uses(5, 3))]), {message: 'so unlucky'});
  t.is((await harness.contents()).ledger.length, 1);
});

test("a batch's statements do not grow in number with its events", async t => {
  const harness = await postgresHarness(t);
  const {uses} = await setUp(harness);
  const counts: number[] = [];
  harness.pool.on('acquire', client => {
    counts.push(0);
    const query = Object.getPrototypeOf(client).query;
    client.query = (...args: unknown[]) => {
      counts[counts.length - 1] = (counts.at(-1) as number) + 1;
      return query.apply(client, args);
    };
  });
  const handle = debit({store: harness.store});
  const pair = () => {
    const request = uuidv7();
    return [started(request, uses(5, 0)), finished(request, uses(5, 3, 1))];
  };
  await handle(pair());
  counts.length = 0;
  await handle(pair());
  await handle(Array.from({length: 100}, pair).flat());
  t.is(counts.length, 2);
  t.is(counts[0], counts[1]);
  t.true((counts[1] as number) <= 14, String(counts));
});

test('sluice_system needs no more than it was given, and the other roles may not debit', async t => {
  const harness = await postgresHarness(t);
  const {windows} = await setUp(harness);
  for (const sql of [
    'delete from ledger',
    'update ledger set cost_nanos = 0',
    'delete from windows',
    'delete from leases',
  ]) {
    await t.throwsAsync(harness.pool.query(sql), {message: /permission denied/}, sql);
  }
  for (const role of ['sluice_tenant', 'sluice_gateway']) {
    const client = await harness.root.connect();
    try {
      await client.query(`set role ${role}`);
      for (const table of ['windows', 'leases', 'requests', 'ledger']) {
        await t.throwsAsync(client.query(`delete from ${table}`), {message: /permission denied/});
      }
      await t.throwsAsync(
        client.query('update windows set spent = 0 where id = $1', [windows[0]?.id]),
        {message: /permission denied/},
      );
    } finally {
      await client.query('reset role');
      client.release();
    }
  }
});
