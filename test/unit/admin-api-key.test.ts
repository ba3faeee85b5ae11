import {hash} from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import {hashSecret, makeApiKey, parseApiKey} from '../../events/api-key.ts';

test('a key that is made is read back as its two parts', t => {
  fc.assert(
    fc.property(fc.uint8Array({minLength: 48, maxLength: 48}), bytes => {
      const parts = [bytes.slice(0, 16), bytes.slice(16)];
      const made = makeApiKey(() => Buffer.from(parts.shift() ?? []));
      t.deepEqual(parseApiKey(made.text), {publicId: made.publicId, secret: made.secret});
      t.is(made.text.length, 63);
    }),
  );
});

test('two keys have neither part in common', t => {
  const [one, two] = [makeApiKey(), makeApiKey()];
  t.not(one.publicId, two.publicId);
  t.not(one.secret, two.secret);
});

test('the secret has 256 random bits', t => {
  t.is(Buffer.from(makeApiKey().secret, 'base64url').length, 32);
});

test('what is not exactly a key is none', t => {
  const {text, publicId, secret} = makeApiKey();
  for (const bad of [
    '',
    'sk-',
    ` ${text}`,
    `${text}\n`,
    `${text}x`,
    text.slice(0, -1),
    text.toUpperCase(),
    `sk-${publicId}${secret}`,
    `sk-${publicId.slice(1)}-${secret}`,
    `sk-${publicId.replace(/./, '1')}-${secret}`,
    `pk-${publicId}-${secret}`,
    `sk-${publicId}-${secret.replace(/.$/, '=')}`,
    `sk-${publicId}-${secret.replace(/.$/, '\0')}`,
  ]) {
    t.is(parseApiKey(bad), undefined, JSON.stringify(bad));
  }
});

test('of the secret its SHA-256 is kept', t => {
  t.is(hashSecret('secret').toString('hex'), hash('sha256', 'secret'));
});
