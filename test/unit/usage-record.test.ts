import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {foldRecords, readRecord} from '../../functions/usage/record.ts';
import {makeRecord, makeUsageEvent, otherOrg} from '../helpers/usage-events.ts';

const now = Date.UTC(2026, 10, 21, 12);
const at = now - 3_600_000;
const dayMs = 86_400_000;

test('a record has the month of its request id and the instant of its intent', t => {
  const request = uuidv7(Date.UTC(2026, 9, 31, 23, 59));
  const reading = readRecord(makeUsageEvent('finished', {at, request}), now);
  t.like(reading, {
    record: {
      month: '2026-10-01',
      request,
      at: '2026-11-21T11:00:00.000Z',
      outcome: 'completed',
      costNanos: 47_450,
    },
  });
});

test('an unsettled request ends when it was settled, without status and latency', t => {
  t.like(readRecord(makeUsageEvent('unsettled', {at}), now), {
    record: {
      outcome: 'unsettled',
      status: null,
      latencyMs: null,
      finishedAt: '2026-11-21T11:00:02.345Z',
      estimated: true,
    },
  });
});

test('instants with an offset are kept in UTC', t => {
  const event = makeUsageEvent('finished', {at, startedAt: '2026-11-21T12:30:00+02:00'});
  t.like(readRecord(event, now), {record: {at: '2026-11-21T10:30:00.000Z'}});
});

for (const type of [
  'dev.sluice.inference.started.v1',
  'dev.sluice.settlement.due.v1',
  'dev.sluice.lease.fenced.v1',
  'toString',
]) {
  test(`an event of type ${type} is ignored`, t => {
    t.is(readRecord({...makeUsageEvent('started', {at}), type}, now), 'ignored');
  });
}

const refuses = (field: string, value: unknown) =>
  test(`data.${field} = ${JSON.stringify(value)?.slice(0, 60)} is refused with the field's name and not its value`, t => {
    const reading = readRecord(makeUsageEvent('finished', {at, [field]: value}), now) as {
      refused: string;
    };
    t.regex(reading.refused, new RegExp(`^data\\.${field}: expected `));
  });

refuses('request', 'not a uuid');
refuses('request', '0192f0c1-7a00-4000-8000-00000000000a');
refuses('request', uuidv7(now - 900 * dayMs));
refuses('request', uuidv7(now + 90 * dayMs));
refuses('project', null);
refuses('model', 'a\0b');
refuses('model', '\ud800');
refuses('endpoint', 'x'.repeat(2049));
refuses('startedAt', '+275760-09-13T00:00:00.000Z');
refuses('startedAt', '1970-01-01T00:00:00Z');
refuses('finishedAt', 'yesterday');
refuses('outcome', 'unsettled');
refuses('costNanos', -1);
refuses('costNanos', 1.5);
refuses('costNanos', 2 ** 53);
refuses('costNanos', '1');
refuses('inputTokens', Number.MAX_SAFE_INTEGER);
refuses('latencyMs', 2 ** 31);
refuses('streamed', 'yes');

test('data that is no object is refused', t => {
  for (const data of [undefined, null, 'text', 1]) {
    t.deepEqual(readRecord({...makeUsageEvent('finished', {at}), data}, now), {
      refused: 'data: expected an object',
    });
  }
});

test('an envelope of another organisation than the data is refused', t => {
  const reading = readRecord({...makeUsageEvent('finished', {at}), orgid: otherOrg}, now);
  t.deepEqual(reading, {refused: 'data.orgid: expected the organisation of the envelope'});
});

test('of several records of a request the first final one counts, sorted by month and request', t => {
  const request = uuidv7();
  const other = makeRecord('finished', {request: uuidv7(Date.now() - 40 * dayMs)});
  const unsettled = makeRecord('unsettled', {request});
  const corrected = makeRecord('corrected', {request, costNanos: 2});
  const finished = makeRecord('finished', {request, costNanos: 1});
  t.deepEqual(foldRecords([unsettled, corrected, finished, other]), [other, corrected]);
  t.deepEqual(foldRecords([finished, corrected, unsettled]), [finished]);
  t.deepEqual(foldRecords([unsettled, {...unsettled, costNanos: 9}]), [unsettled]);
});
