import test from 'ava';
import {flawsOf, gaugesOf} from '../bench/gauges.ts';
import {judge, type Round} from '../bench/judge.ts';
import type {Sample} from '../bench/measure.ts';
import {readOptions} from '../bench/options.ts';
import {missingIn} from '../bench/proof.ts';
import {reportOf} from '../bench/report.ts';
import {bodyOf, type Row, rowsAt} from '../bench/rows.ts';
import {judgeStreams} from '../bench/streams/judge.ts';

const sample = (more: Partial<Sample>): Sample => ({
  target: 'bare',
  cpuMicros: 100,
  storeMicros: {postgres: 0, redis: 1, kafka: 30},
  completed: 5_000,
  failed: 0,
  perSecond: 1_000,
  loadShare: 0.2,
  targetShare: 0.5,
  p50Ms: 101,
  p99Ms: 110,
  flaws: [],
  ...more,
});
const rowNamed = (name: string) => rowsAt(1_000).find(row => row.name === name) as Row;
const rounds = (...pairs: [bare: number, gateway: number][]): Round[] =>
  pairs.map(([bare, gateway]) => ({
    bare: sample({cpuMicros: bare}),
    gateway: sample({target: 'gateway', cpuMicros: gateway}),
  }));

test('the ratio is that of the medians, and the rounds tell how far to believe it', t => {
  const [finding] = judge(rowNamed('plain'), rounds([100, 150], [120, 300], [90, 180]));
  t.like(finding, {ratio: 1.8, ratioOfRounds: [1.5, 2.5], budget: 2, met: true});
  t.deepEqual(finding?.stores, {postgres: 0, redis: 1, kafka: 30});
});

test('a figure above its budget is not met', t => {
  t.false(judge(rowNamed('plain'), rounds([100, 201]))[0]?.met);
});

test('a figure of less than was asked for is not met, however good it is', t => {
  const [round] = rounds([100, 110]) as [Round];
  const flawed = {...round, gateway: sample({flaws: ['limits are not counted in Redis']})};
  const failed = {...round, gateway: sample({failed: 3})};
  const slow = {...round, gateway: sample({perSecond: 970})};
  t.like(judge(rowNamed('plain'), [flawed])[0], {
    met: false,
    remarks: ['limits are not counted in Redis'],
  });
  t.like(judge(rowNamed('plain'), [failed])[0], {met: false, remarks: ['3 requests failed']});
  t.like(judge(rowNamed('request'), [slow])[0], {
    met: false,
    remarks: ['saturated: gateway did not reach 1000/s'],
  });
});

test('a peer is held against its part of the bound, and one that is not there against none', t => {
  const round = {
    gateway: sample({cpuMicros: 200}),
    portkey: sample({target: 'portkey', cpuMicros: 1_300}),
  };
  const findings = judge(rowNamed('peers'), [round]);
  t.deepEqual(
    findings.map(({baseline, ratio, met}) => [baseline.name, ratio, met]),
    [['portkey', 0.154, true]],
  );
  t.regex(reportOf({node: 'v24', cores: 2, load: 1}, findings, []), /budget 1\/6: met/);
});

test('latency is what is added to the direct call of the same round', t => {
  const round = {
    direct: sample({p50Ms: 100, p99Ms: 104, perSecond: 300}),
    bare: sample({p50Ms: 101, p99Ms: 108, perSecond: 300}),
    gateway: sample({p50Ms: 101.5, p99Ms: 116, perSecond: 300}),
  };
  t.deepEqual(
    judge(rowNamed('latency'), [round]).map(({ratio, met}) => [ratio, met]),
    [
      [1.5, true],
      [3, false],
    ],
  );
});

test('every body is 1 KiB', t => {
  for (const row of rowsAt(1_000)) {
    t.is(bodyOf(row).length, 1_024, row.name);
  }
});

test('events that went to the outbox, or nowhere, spoil a figure', t => {
  const text = (kafka: number, outbox: number, perProcess = 0) => `
sluice_kafka_away 0
sluice_limits_per_process ${perProcess}
sluice_log_events_total{log="kafka"} ${kafka}
sluice_log_events_total{log="outbox"} ${outbox}
`;
  const before = gaugesOf(text(10, 0));
  t.deepEqual(flawsOf(before, gaugesOf(text(210, 0)), 100), []);
  t.deepEqual(flawsOf(before, gaugesOf(text(110, 100)), 100), [
    '100 events went to the outbox',
    'Kafka took 100 events of 200',
  ]);
  t.deepEqual(flawsOf(before, gaugesOf(text(210, 0, 1)), 100), ['limits are not counted in Redis']);
});

test('an answer without the signs of holds and nine limits is no proof', t => {
  const names = [
    'x-request-id',
    'x-sluice-budget-remaining-usd',
    'x-ratelimit-limit-requests',
    'x-ratelimit-limit-tokens',
  ];
  const headers = new Headers(names.map(name => [name, '1']));
  headers.set('ratelimit-policy', Array.from({length: 9}, () => '"key-requests";q=1').join(', '));
  t.deepEqual(missingIn(headers), []);
  headers.set('ratelimit-policy', '"key-requests";q=1');
  headers.delete('x-sluice-budget-remaining-usd');
  t.deepEqual(missingIn(headers), ['x-sluice-budget-remaining-usd', '9 limits, there are 1']);
});

test('open streams are asked for by name, all other rows by nothing', t => {
  const all = readOptions([]);
  t.is(all.open, undefined);
  t.deepEqual(
    all.rows.map(({name}) => name),
    rowsAt(1_000).map(({name}) => name),
  );
  t.like(readOptions(['--row', 'streams', '--minutes', '2']), {
    rows: [],
    open: {streams: 5_000, minutes: 2},
  });
  t.throws(() => readOptions(['--row', 'nothing']), {instanceOf: TypeError});
  t.throws(() => readOptions(['--rounds', '0']), {instanceOf: TypeError});
});

test('of open streams the highest memory counts, and one late token is one too many', t => {
  const count = {open: 10, tokens: 10, late: 0, latestMs: 40, ended: 0, failed: 0, failures: {}};
  const of = (memory: number[], late = 0) =>
    judgeStreams({
      streams: 10,
      minutes: 1,
      idle: 2 ** 26,
      memory: memory.map(mebibytes => mebibytes * 2 ** 20),
      counts: [count, {...count, late, latestMs: late ? 1_500 : 40}],
      cpuShare: 0.5,
    });
  t.like(of([250, 299]), {
    met: true,
    tokens: 20,
    residentMiB: {idle: 64, median: 274.5, highest: 299},
  });
  t.false(of([250, 301]).met);
  t.like(of([250, 250], 1), {met: false, late: 1, latestMs: 1_500});
});
