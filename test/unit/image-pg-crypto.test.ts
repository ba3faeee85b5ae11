/** What the image computes to log in at PostgreSQL is what pg does. */
import {createRequire} from 'node:module';
import test from 'ava';
import * as ours from '../../knative/image/pg-crypto.ts';

type Crypto = Pick<
  typeof ours,
  'deriveKey' | 'hashByName' | 'hmacSha256' | 'md5' | 'postgresMd5PasswordHash' | 'sha256'
>;
const theirs = createRequire(import.meta.url)('pg/lib/crypto/utils.js') as Crypto & object;

const salt = Buffer.from('a salt of PostgreSQL');
const cases: ReadonlyArray<readonly [string, (crypto: Crypto) => Promise<string | Uint8Array>]> = [
  ['deriveKey', ({deriveKey}) => deriveKey('pässword', salt, 4_096)],
  ['hmacSha256', ({hmacSha256}) => hmacSha256(salt, 'Client Key, é')],
  ['sha256', ({sha256}) => sha256(salt)],
  ['hashByName', ({hashByName}) => hashByName('SHA-384', salt)],
  ['md5', ({md5}) => md5('text')],
  ['postgresMd5PasswordHash', crypto => crypto.postgresMd5PasswordHash('user', 'pässword', salt)],
];

for (const [name, compute] of cases) {
  test(`${name} gives the bytes that pg's own does`, async t => {
    const [one, other] = await Promise.all([compute(ours), compute(theirs)]);
    t.deepEqual(Buffer.from(one as Uint8Array), Buffer.from(other as Uint8Array));
  });
}

test('whatever pg takes from its own there is here', t => {
  t.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).sort());
  t.is(ours.randomBytes(18).length, 18);
});

test('a key is derived once for a password, a salt and a count', async t => {
  const [one, same, other] = await Promise.all([
    ours.deriveKey('a', salt, 10),
    ours.deriveKey('a', salt, 10),
    ours.deriveKey('a', salt, 11),
  ]);
  t.is(one, same);
  t.notDeepEqual(one, other);
});
