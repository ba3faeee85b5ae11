import assert from 'node:assert/strict';
import test from 'ava';
import {SluiceError} from '../../events/errors.ts';
import {createMetrics} from '../../events/metrics.ts';
import type {Principal} from '../../functions/auth/principal.ts';
import {createRefusalLines} from '../../functions/gateway/observe/refusal-lines.ts';
import {createRefusals} from '../../functions/gateway/observe/refusals.ts';
import {eventually} from '../helpers/eventually.ts';

const error = new SluiceError('insufficient_quota', 'budget one is spent for this period');
const principal = (key: string) => ({org: 'org', project: 'project', key}) as Principal;
const refused = (key: string, number = 0) => ({
  request: `${key}-${number}`,
  known: {principal: principal(key), operation: 'chat.completions' as const},
  error,
  durationMs: 1,
});

const setUp = ({fail = false} = {}) => {
  const batches: {request: string; code: string; reason: string}[][] = [];
  const warnings: unknown[] = [];
  const metrics = createMetrics();
  const refusals = createRefusals({
    pool: {
      query: async (_text: string, [batch]: string[]) => {
        if (fail) {
          throw new Error('away');
        }
        batches.push(JSON.parse(batch as string));
        return {rows: []};
      },
    } as never,
    metrics,
    logger: {warn: (...line: unknown[]) => void warnings.push(line)} as never,
    flushMs: 20,
    keyMax: 2,
    flushMax: 5,
  });
  const counted = (what: string) =>
    Number(
      new RegExp(`sluice_refusals_total\\{what="${what}"\\} (\\d+)`).exec(metrics.text())?.[1],
    );
  return {refusals, batches, warnings, counted};
};

test('refusals are gathered into one insert, and of each key and of all only so many are kept', async t => {
  const {refusals, batches, counted} = setUp();
  for (const key of ['a', 'b', 'c']) {
    for (let number = 0; number < 4; number += 1) {
      refusals.note(refused(key, number));
    }
  }
  await eventually(() => assert.equal(batches.length, 1));
  t.deepEqual(
    batches[0]?.map(({request}) => request),
    ['a-0', 'a-1', 'b-0', 'b-1', 'c-0'],
  );
  t.like(batches[0]?.[0], {code: 'insufficient_quota', reason: error.message});
  t.deepEqual([counted('kept'), counted('over')], [5, 7]);
  refusals.note(refused('a', 9));
  await refusals.close();
  t.is(batches[1]?.[0]?.request, 'a-9');
});

test('a refusal without a known key is not kept: a table that anybody could fill would be one more thing to attack', async t => {
  const {refusals, batches} = setUp();
  refusals.note({...refused('a'), known: {operation: 'chat.completions'}});
  await refusals.close();
  t.deepEqual(batches, []);
});

test('what PostgreSQL does not take is dropped, counted and told', async t => {
  const {refusals, warnings, counted} = setUp({fail: true});
  refusals.note(refused('a'));
  await refusals.close();
  t.is(counted('away'), 1);
  t.is(warnings.length, 1);
});

test('refused requests have a line each up to a bound, and beyond it one line says how many there were', t => {
  const lines: unknown[][] = [];
  let nowMs = 0;
  const write = createRefusalLines({
    logger: {info: (...line: unknown[]) => void lines.push(line)} as never,
    perSecondMax: 2,
    nowMs: () => nowMs,
  });
  for (let number = 0; number < 5; number += 1) {
    write({number});
  }
  t.is(lines.length, 2);
  nowMs = 1_000;
  write({number: 5});
  t.deepEqual(lines.slice(2), [
    [{refusals: 3}, 'refused, without a line each'],
    [{number: 5}, 'refused'],
  ]);
});
