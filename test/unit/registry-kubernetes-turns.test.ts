import test from 'ava';
import {createTurns} from '../../functions/registry/kubernetes/turns.ts';

/** Looks that end when the test says. */
const makeLooks = () => {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const look = (name: string) => () => {
    begun.push(name);
    return new Promise<string>(resolve => ends.push(() => resolve(`${name} ${begun.length}`)));
  };
  return {begun, ends, look};
};
const settled = () => new Promise<void>(resolve => setImmediate(resolve));

test('who asks while a look runs shares the next one, which begins later', async t => {
  const {begun, ends, look} = makeLooks();
  const take = createTurns<string>();
  const first = take('a', look('a'));
  await settled();
  const others = [take('a', look('a')), take('a', look('a')), take('a', look('a'))];
  await settled();
  t.deepEqual(begun, ['a']);
  ends[0]?.();
  t.is(await first, 'a 1');
  await settled();
  t.deepEqual(begun, ['a', 'a']);
  ends[1]?.();
  t.deepEqual(await Promise.all(others), ['a 2', 'a 2', 'a 2']);
});

test('no more run at once than may, and one that fails is no obstacle', async t => {
  const {begun, ends, look} = makeLooks();
  const take = createTurns<string>({atOnce: 2});
  const failing = take('x', () => Promise.reject(new Error('no answer')));
  await t.throwsAsync(failing, {message: 'no answer'});
  const all = ['a', 'b', 'c', 'd'].map(name => take(name, look(name)));
  await settled();
  t.deepEqual(begun, ['a', 'b']);
  ends[0]?.();
  await all[0];
  await settled();
  t.deepEqual(begun, ['a', 'b', 'c']);
  ends[1]?.();
  ends[2]?.();
  await settled();
  await settled();
  ends[3]?.();
  t.is((await Promise.all(all)).length, 4);
  const again = take('x', look('x'));
  await settled();
  ends[4]?.();
  t.is(await again, 'x 5');
});

test('where as many wait as may, the next is sent away to come again, and those who share are not', async t => {
  const {begun, ends, look} = makeLooks();
  const take = createTurns<string>({atOnce: 1, waitingMax: 2});
  const first = take('a', look('a'));
  await settled();
  const waiting = [take('b', look('b')), take('c', look('c')), take('c', look('c'))];
  await t.throwsAsync(take('d', look('d')), {
    message: '2 objects wait to be looked at already',
    code: 'too_many_requests',
  });
  for (const one of [first, ...waiting.slice(0, 2)]) {
    ends.at(-1)?.();
    await one;
    await settled();
  }
  await Promise.all(waiting);
  t.deepEqual(begun, ['a', 'b', 'c']);
  const again = take('d', look('d'));
  await settled();
  ends.at(-1)?.();
  t.is(await again, 'd 4');
});
