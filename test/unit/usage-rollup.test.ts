import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {rollUp, startOf} from '../../functions/usage/rollup.ts';
import {makeRecord, someKey, someProject} from '../helpers/usage-events.ts';

const hour = Date.UTC(2026, 10, 21, 10);
const at = (ms: number) => new Date(ms).toISOString();

test('an hour and a day begin in UTC', t => {
  t.is(startOf('2026-11-21T23:59:59.999Z', 'hour'), '2026-11-21T23:00:00.000Z');
  t.is(startOf('2026-11-21T23:59:59.999Z', 'day'), '2026-11-21');
});

test('records of one hour and key are summed, others apart', t => {
  const record = {...makeRecord('finished'), at: at(hour)};
  const late = {...record, at: at(hour + 3_599_999), cachedInputTokens: 3};
  const next = {...record, at: at(hour + 3_600_000)};
  const rollups = rollUp([late, next, record], [], 'hour');
  t.deepEqual(
    rollups.map(({start, requests}) => [start, requests]),
    [
      ['2026-11-21T10:00:00.000Z', 2n],
      ['2026-11-21T11:00:00.000Z', 1n],
    ],
  );
  t.like(rollups[0], {
    project: someProject,
    key: someKey,
    inputTokens: 206n,
    cachedInputTokens: 3n,
    outputTokens: 114n,
    costNanos: 94_900n,
    latencyMs: 4690n,
    failed: 0n,
  });
  t.is(rollUp([late, next, record], [], 'day').length, 1);
});

test('a request has failed unless it completed or its client went away', t => {
  const outcomes = [
    'completed',
    'client_aborted',
    'upstream_error',
    'deadline_exceeded',
    'shutdown',
    'unsettled',
  ];
  const records = outcomes.map(outcome => ({...makeRecord('finished'), at: at(hour), outcome}));
  t.like(rollUp(records, [], 'day')[0], {requests: 6n, failed: 4n});
});

test('a replaced record takes its part out where it was and the new one counts where it is', t => {
  const request = uuidv7();
  const before = {...makeRecord('unsettled', {request}), at: at(hour)};
  const after = {...makeRecord('finished', {request}), at: at(hour)};
  t.deepEqual(
    rollUp([], [{before, after}], 'hour').map(({requests, failed, estimated, costNanos}) => [
      requests,
      failed,
      estimated,
      costNanos,
    ]),
    [[0n, -1n, -1n, 26_850n]],
  );
  const moved = rollUp([], [{before, after: {...after, endpoint: 'http://b'}}], 'hour');
  t.deepEqual(
    moved.map(({endpoint, requests}) => [endpoint, requests]),
    [
      ['http://b', 1n],
      ['http://llama.models.svc.cluster.local', -1n],
    ],
  );
});

test('what changes nothing is left out, and the order does not depend on that of the records', t => {
  const before = makeRecord('finished');
  t.deepEqual(rollUp([], [{before, after: before}], 'hour'), []);
  const records = ['b', 'a', 'c'].map(model => ({...before, model}));
  t.deepEqual(rollUp(records, [], 'hour'), rollUp([...records].reverse(), [], 'hour'));
});
