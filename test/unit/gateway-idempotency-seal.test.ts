import {randomBytes} from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import {createSeal, resultsKey} from '../../functions/gateway/idempotency/seal.ts';

const kept = {request: 'r', contentType: 'text/event-stream', body: Buffer.from('data: 1\n\n\0ü')};

test('what was sealed is opened with its key and its claim, byte for byte', t => {
  const seal = createSeal(randomBytes(32));
  fc.assert(
    fc.property(fc.uint8Array({maxLength: 500}), bytes => {
      const answer = {...kept, body: Buffer.from(bytes)};
      const opened = seal.open(seal.seal(answer, 'claim'), 'claim');
      t.deepEqual(opened, answer);
    }),
  );
});

test('with another key, another claim or one other bit nothing is opened, and nothing throws', t => {
  const seal = createSeal(randomBytes(32));
  const sealed = seal.seal(kept, 'claim');
  t.is(createSeal(randomBytes(32)).open(sealed, 'claim'), undefined);
  t.is(seal.open(sealed, 'other'), undefined);
  for (let at = 0; at < sealed.length; at++) {
    const damaged = Buffer.from(sealed);
    damaged[at] = (damaged[at] as number) ^ 1;
    t.is(seal.open(damaged, 'claim'), undefined, String(at));
    t.is(seal.open(sealed.subarray(0, at), 'claim'), undefined, String(at));
  }
});

test('a sealed answer shows nothing of it, and no two are the same', t => {
  const seal = createSeal(randomBytes(32));
  const [one, two] = [seal.seal(kept, 'claim'), seal.seal(kept, 'claim')];
  t.false(one.includes('event-stream') || one.includes('data:'));
  t.notDeepEqual(one, two);
});

test('RESULTS_KEY is 32 bytes in base64, and its complaint does not repeat it', t => {
  const key = randomBytes(32);
  t.deepEqual(resultsKey(key.toString('base64')), key);
  const short = randomBytes(16).toString('base64');
  for (const text of [
    undefined,
    '',
    'x',
    short,
    `${key.toString('base64')}A`,
    key.toString('hex'),
  ]) {
    const error = t.throws(() => resultsKey(text));
    t.false(text !== undefined && text.length > 1 && error?.message.includes(text));
  }
});
