import test from 'ava';
import fc from 'fast-check';
import {monthOf, uuidv7} from '../../events/uuid.ts';
import {createFindings, type Finding} from '../../functions/usage/verify/finding.ts';
import {
  difference,
  judgePair,
  judgeSum,
  judgeWindow,
  type Side,
} from '../../functions/usage/verify/judge-books.ts';
import {parseWanted} from '../../functions/usage/verify/parameters.ts';
import {stretchesOf} from '../../functions/usage/verify/range.ts';

const nowMs = Date.UTC(2026, 10, 21, 10);
const graceMs = 60_000;
const side = (fields: Partial<Side> = {}): Side => ({
  org: 'one',
  model: 'llama',
  hour: '2026-11-21T09:00:00.000Z',
  inputTokens: 10n,
  cachedInputTokens: 0n,
  outputTokens: 5n,
  costNanos: 5_000n,
  atMs: nowMs - 3_600_000,
  ...fields,
});
const sides = fc.record({
  org: fc.constantFrom('one', 'two'),
  model: fc.constantFrom('llama', 'qwen'),
  hour: fc.constant('2026-11-21T09:00:00.000Z'),
  inputTokens: fc.bigInt(0n, 3n),
  cachedInputTokens: fc.bigInt(0n, 1n),
  outputTokens: fc.bigInt(0n, 3n),
  costNanos: fc.bigInt(0n, 3n),
  atMs: fc.integer({min: nowMs - 2 * graceMs, max: nowMs}),
});
const judge = (pair: {ledger?: Side; record?: Side}) =>
  judgePair({request: 'r', ...pair}, {nowMs, graceMs});

test('a request on one side only is missing on the other, one with other tokens or cost is different', t => {
  t.like(judge({ledger: side()}), {kind: 'record-missing', broken: true, subject: 'r'});
  t.like(judge({record: side()}), {kind: 'ledger-missing', broken: true});
  t.like(judge({ledger: side(), record: side({costNanos: 5_001n})}), {
    kind: 'different',
    values: {
      ledger: '10 in (0 cached), 5 out, 0.000005 USD',
      record: '10 in (0 cached), 5 out, 0.000005001 USD',
    },
  });
  t.like(judge({ledger: side(), record: side({org: 'two'})}), {kind: 'different'});
  t.is(judge({ledger: side(), record: side({atMs: nowMs})}), undefined);
});

test('two sides are a finding exactly when they differ and both are older than the grace', t => {
  fc.assert(
    fc.property(fc.option(sides), fc.option(sides), (ledger, record) => {
      const found = judge({...(ledger ? {ledger} : {}), ...(record ? {record} : {})});
      const {atMs: _l, ...one} = ledger ?? {};
      const {atMs: _r, ...other} = record ?? {};
      const isSame =
        JSON.stringify(Object.values(one).map(String)) ===
        JSON.stringify(Object.values(other).map(String));
      const isYoung = Math.max(ledger?.atMs ?? 0, record?.atMs ?? 0) > nowMs - graceMs;
      if (isSame) {
        t.is(found, undefined);
      } else {
        t.is(found === 'late', isYoung);
        t.true(isYoung || (found as Finding).broken);
      }
    }),
  );
});

test('the difference of two sides is what makes one of the other', t => {
  fc.assert(
    fc.property(sides, sides, (ledger, record) => {
      const found = difference(ledger, record);
      for (const name of ['inputTokens', 'outputTokens', 'costNanos'] as const) {
        t.is(record[name] + (found?.[name] ?? 0n), ledger[name]);
      }
    }),
  );
});

test('a sum is not that of its parts by a token, a request or a nano-USD', t => {
  const sum = {...side(), requests: 2n};
  const pair = {unit: 'hour', org: 'one', model: 'llama', from: 'now', records: sum} as const;
  t.is(judgeSum({...pair, rollup: sum}), undefined);
  t.like(judgeSum({...pair, rollup: {...sum, requests: 3n}}), {kind: 'hourly-sum-differs'});
  t.like(judgeSum({...pair, unit: 'day', rollup: {...sum, costNanos: 4_999n}}), {
    kind: 'daily-sum-differs',
    broken: true,
    values: {hours: '2 requests, 10 in (0 cached), 5 out, 0.000005 USD'},
  });
});

test('a window is what its ledger and leases add up to, however it is split, and nothing else', t => {
  const amount = fc.bigInt(0n, 10n ** 18n);
  fc.assert(
    fc.property(
      amount,
      amount,
      amount,
      fc.bigInt(-2n, 2n),
      fc.bigInt(-2n, 2n),
      fc.boolean(),
      (...all) => {
        const [spent, overage, leased, off, short, whole] = all;
        const row = {org: 'o', budget: 'b', spent, overage, leased};
        const charged = spent + overage + off;
        const found = judgeWindow({window: 'w', row, charged, held: leased + short, whole});
        const kinds = found.map(({kind, broken}) => `${kind} ${broken}`);
        t.deepEqual(kinds, [
          ...(off === 0n
            ? []
            : whole || off > 0n
              ? ['window-differs true']
              : ['window-older-than-ledger false']),
          ...(short === 0n ? [] : ['leases-differ true']),
        ]);
      },
    ),
  );
  t.like(judgeWindow({window: 'w', charged: 1n, held: 0n, whole: true})[0], {
    kind: 'window-missing',
    broken: true,
  });
});

test('all findings are counted, the first are kept, and broken promises come first', t => {
  const findings = createFindings(2);
  const note = {check: 'engines', kind: 'note', broken: false, subject: 'e', values: {}} as const;
  findings.add(note);
  t.false(findings.isBroken());
  for (const subject of ['a', 'b', 'c']) {
    findings.add({check: 'sums', kind: 'bad', broken: true, subject, values: {}});
  }
  t.true(findings.isBroken());
  t.deepEqual(findings.kinds(), [
    {check: 'sums', kind: 'bad', broken: true, count: 3},
    {check: 'engines', kind: 'note', broken: false, count: 1},
  ]);
  t.deepEqual(
    findings.first().map(({subject}) => subject),
    ['a', 'b', 'e'],
  );
});

test('every request id of a range of time is in one stretch, and in the partition of its month', t => {
  const instant = fc.integer({min: Date.UTC(2025, 0), max: Date.UTC(2027, 0)});
  fc.assert(
    fc.property(instant, instant, instant, (a, b, at) => {
      const [fromMs, toMs] = a < b ? [a, b + 1] : [b, a + 1];
      const id = uuidv7(at);
      const found = stretchesOf(fromMs, toMs).filter(
        ({month, firstId, endId}) => month === monthOf(id) && id >= firstId && id < endId,
      );
      t.is(found.length, at >= fromMs && at < toMs ? 1 : 0);
    }),
  );
});

test('what is asked for is bounded, and a wrong parameter is named', t => {
  t.deepEqual(parseWanted({}, nowMs), {
    fromMs: nowMs - 86_400_000,
    toMs: nowMs,
    graceMs: 60_000,
    first: 20,
    checks: ['requests', 'sums', 'windows', 'engines'],
  });
  t.like(parseWanted({from: '2026-11-01', checks: ['windows', 'requests']}, nowMs), {
    fromMs: Date.UTC(2026, 10, 1),
    checks: ['requests', 'windows'],
  });
  for (const [name, value] of [
    ['from', 'yesterday'],
    ['from', '2025-01-01'],
    ['to', '2026-11-21T10:00:00'],
    ['graceSeconds', -1],
    ['graceSeconds', '60'],
    ['first', 1_001],
    ['checks', []],
    ['checks', ['money']],
    ['form', '2026-11-01'],
  ]) {
    const error = t.throws(() => parseWanted({[name as string]: value}, nowMs), {
      message: new RegExp(`^${name}: `),
    });
    t.like(error, {code: 'bad_request', parameter: name});
  }
});
