import {hash} from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import {judge} from '../../functions/gateway/idempotency/claim.ts';
import {hashOf, readKey, scopeOf} from '../../functions/gateway/idempotency/scope.ts';
import {createMemoryClaims} from '../../functions/gateway/idempotency/store-memory.ts';

type Step =
  | Readonly<{kind: 'take'; holder: number; id: number; body: number}>
  | Readonly<{kind: 'finish'; holder: number; id: number; result: string | undefined}>
  | Readonly<{kind: 'release'; holder: number; id: number}>
  | Readonly<{kind: 'wait'; ms: number}>;

const holder = fc.nat(3);
const id = fc.nat(1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      {kind: fc.constant('take'), holder, id, body: fc.nat(1)},
      {noNullPrototype: true},
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        kind: fc.constant('finish'),
        holder,
        id,
        result: fc.option(fc.constantFrom('a', 'b'), {nil: undefined}),
      },
      {noNullPrototype: true},
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({kind: fc.constant('release'), holder, id}, {noNullPrototype: true}),
  },
  {
    weight: 2,
    arbitrary: fc.record({kind: fc.constant('wait'), ms: fc.nat(120)}, {noNullPrototype: true}),
  },
) as fc.Arbitrary<Step>;

const holdMs = 100;
const keepMs = 300;

/** What anybody may believe of one key, from what was answered alone. */
type Belief = {
  holder: {fence: string; body: number; untilMs: number} | undefined;
  finished: {body: number; result: string | undefined; untilMs: number} | undefined;
};

test('whatever the order of takes, ends, deaths and late ends: one runs at a time, and what finished is told', async t => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, {maxLength: 60}), async steps => {
      let nowMs = 0;
      let fences = 0;
      const store = createMemoryClaims({nowMs: () => nowMs});
      const fenceOf = new Map<string, string>();
      const beliefs: Belief[] = [0, 1].map(() => ({holder: undefined, finished: undefined}));
      for (const step of steps) {
        if (step.kind === 'wait') {
          nowMs += step.ms;
          continue;
        }
        const belief = beliefs[step.id] as Belief;
        const live = belief.holder && nowMs < belief.holder.untilMs ? belief.holder : undefined;
        const known =
          belief.finished && nowMs < belief.finished.untilMs ? belief.finished : undefined;
        const place = `${step.holder} ${step.id}`;
        if (step.kind === 'take') {
          const fence = `fence ${++fences}`;
          const found = await store.take({
            id: String(step.id),
            org: 'o',
            project: 'p',
            hash: String(step.body),
            fence,
            holdMs,
          });
          t.is(found.state, live ? 'running' : known ? 'finished' : 'taken');
          if (found.state === 'taken') {
            fenceOf.set(place, fence);
            beliefs[step.id] = {
              holder: {fence, body: step.body, untilMs: nowMs + holdMs},
              finished: undefined,
            };
          } else {
            t.is(found.hash, String((live ?? known)?.body));
          }
          if (found.state === 'finished') {
            t.is(found.result?.toString(), known?.result);
          }
          continue;
        }
        // A holder of a claim that ran out, or was taken over, still believes in its fence.
        const fence = fenceOf.get(place) ?? 'never';
        const mayEnd = live?.fence === fence;
        if (step.kind === 'release') {
          t.is(await store.release({id: String(step.id), fence}), mayEnd);
        } else {
          const result = step.result === undefined ? undefined : Buffer.from(step.result);
          const held = {id: String(step.id), fence, hash: String(live?.body), result, keepMs};
          t.is(await store.finish(held), mayEnd);
        }
        if (live && mayEnd) {
          beliefs[step.id] = {
            holder: undefined,
            finished:
              step.kind === 'finish'
                ? {body: live.body, result: step.result, untilMs: nowMs + keepMs}
                : undefined,
          };
        }
      }
    }),
    {numRuns: 2_000},
  );
});

test('over its bound a memory forgets the claim that is oldest', async t => {
  const store = createMemoryClaims({claimsMax: 2});
  const take = async (id: string) =>
    (await store.take({id, org: 'o', project: 'p', hash: 'h', fence: id, holdMs: 1e6})).state;
  t.deepEqual([await take('a'), await take('b'), await take('c')], ['taken', 'taken', 'taken']);
  t.deepEqual([await take('b'), await take('c'), await take('a')], ['running', 'running', 'taken']);
});

test('what was found decides: run, replay, or one of three refusals', t => {
  const result = Buffer.from('x');
  t.is(judge({state: 'taken'}, 'h'), 'run');
  t.is(judge({state: 'finished', hash: 'h', result}, 'h'), result);
  t.throws(() => judge({state: 'running', hash: 'h'}, 'h'), {code: 'request_in_progress'});
  t.throws(() => judge({state: 'finished', hash: 'h', result: undefined}, 'h'), {
    code: 'result_not_kept',
  });
  for (const state of ['running', 'finished'] as const) {
    t.throws(() => judge({state, hash: 'h', result}, 'other'), {code: 'idempotency_key_reused'});
  }
});

test('a key is 1 to 255 printable ASCII characters', t => {
  for (const key of ['a', 'x'.repeat(255), 'with space', '~!"']) {
    t.is(readKey(key), key);
  }
  for (const key of ['', 'x'.repeat(256), 'tab\t', 'ü', ['a', 'b'], '\u007f']) {
    t.throws(() => readKey(key), {code: 'bad_request'});
  }
});

test('two projects share no key, and two routes or bodies no hash', t => {
  t.not(scopeOf('p', 'k'), scopeOf('q', 'k'));
  // No other pair of project and key reads the same.
  t.not(scopeOf('p', 'k'), scopeOf('pk', ''));
  const body = Buffer.from('{}');
  t.not(hashOf('a', body), hashOf('b', body));
  t.not(hashOf('a', body), hashOf('a', Buffer.from('{ }')));
  t.is(hashOf('a', body), hash('sha256', 'a\0{}'));
});
