import assert from 'node:assert/strict';
import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {gatherLoads} from '../../functions/auth/gather-loads.ts';
import type {Principal} from '../../functions/auth/principal.ts';
import {eventually} from '../helpers/eventually.ts';

const principal = (publicId: string): Principal => ({
  org: uuidv7(),
  project: uuidv7(),
  key: uuidv7(),
  publicId,
  secretHash: Buffer.alloc(32),
  models: null,
  environments: null,
  expiresAtMs: null,
  revoked: false,
  suspended: false,
  unsettledPolicy: 'prompt',
  budgets: [],
});

/** What reads, each of whose statements ends when it is let. */
const start = (options: Parameters<typeof gatherLoads>[1] = {}) => {
  const statements: {ids: readonly string[]; end: (error?: Error) => void}[] = [];
  const load = gatherLoads(
    ids =>
      new Promise((resolve, reject) => {
        const known = ids.filter(id => !id.startsWith('absent'));
        const found = new Map(known.map(id => [id, principal(id)] as const));
        statements.push({ids, end: error => (error ? reject(error) : resolve(found))});
      }),
    {spacingMs: 0, ...options},
  );
  const sent = (count: number) =>
    eventually(() => {
      assert.equal(statements.length, count);
      return statements[count - 1] as (typeof statements)[number];
    });
  return {load, statements, sent};
};

test('look-ups of one turn are one statement, and each gets its own key', async t => {
  const {load, sent} = start();
  const all = Promise.all(['a', 'b', 'absent', 'a'].map(load));
  const {ids, end} = await sent(1);
  t.deepEqual(ids, ['a', 'b', 'absent']);
  end();
  t.deepEqual(
    (await all).map(found => found?.publicId),
    ['a', 'b', undefined, 'a'],
  );
});

test('who comes while a statement runs goes with the next, even for a key that is being read', async t => {
  const {load, statements, sent} = start();
  const early = load('a');
  const first = await sent(1);
  const late = Promise.all([load('a'), load('b')]);
  t.is(statements.length, 1);
  first.end();
  await early;
  const second = await sent(2);
  t.deepEqual(second.ids, ['a', 'b']);
  second.end();
  t.deepEqual(
    (await late).map(found => found?.publicId),
    ['a', 'b'],
  );
});

test('a statement that fails fails its own look-ups only', async t => {
  const {load, sent} = start();
  const early = load('a');
  const first = await sent(1);
  const late = load('a');
  first.end(new Error('connection refused'));
  await t.throwsAsync(early, {message: 'connection refused'});
  (await sent(2)).end();
  t.is((await late)?.publicId, 'a');
});

test('a statement asks for no more than so many keys', async t => {
  const {load, sent} = start({batchMax: 3});
  const all = Promise.all(['a', 'b', 'c', 'd'].map(load));
  const first = await sent(1);
  t.deepEqual(first.ids, ['a', 'b', 'c']);
  first.end();
  const second = await sent(2);
  t.deepEqual(second.ids, ['d']);
  second.end();
  t.is((await all).length, 4);
});

test('statements keep a distance, and the first after a pause goes at once', async t => {
  let nowMs = 0;
  const {load, statements, sent} = start({spacingMs: 60_000, now: () => nowMs});
  const first = load('a');
  (await sent(1)).end();
  await first;
  nowMs += 59_500;
  const early = load('b');
  await new Promise(resolve => setTimeout(resolve, 0));
  t.is(statements.length, 1);
  (await sent(2)).end();
  await early;
  nowMs += 60_000;
  const late = load('c');
  await new Promise(resolve => setTimeout(resolve, 0));
  t.is(statements.length, 3);
  statements[2]?.end();
  t.is((await late)?.publicId, 'c');
});
