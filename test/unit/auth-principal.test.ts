import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {hashSecret, makeApiKey, parseApiKey} from '../../events/api-key.ts';
import {bearerOf} from '../../functions/auth/bearer.ts';
import {toError} from '../../functions/auth/denial.ts';
import {
  type Denial,
  denialOf,
  mayUseModel,
  type Principal,
} from '../../functions/auth/principal.ts';

const nowMs = Date.parse('2026-11-21T10:00:00Z');
const secretHash = hashSecret('secret');
const principal: Principal = {
  org: 'o',
  project: 'p',
  key: 'k',
  publicId: 'abcdefghijklmnop',
  secretHash,
  models: null,
  environments: null,
  expiresAtMs: null,
  revoked: false,
  suspended: false,
  unsettledPolicy: 'prompt',
  budgets: [],
};

const isDenied = (t: ExecutionContext, fields: Partial<Principal>, denial: Denial | undefined) => {
  t.is(denialOf({...principal, ...fields}, {secretHash, nowMs, environment: 'production'}), denial);
};

test('a key that is in order passes', isDenied, {}, undefined);
test('a key of another secret does not', isDenied, {secretHash: hashSecret('other')}, 'unknown');
test('a revoked key does not', isDenied, {revoked: true}, 'revoked');
test('a key ends at the instant that it names', isDenied, {expiresAtMs: nowMs}, 'expired');
test('a key lasts until then', isDenied, {expiresAtMs: nowMs + 1}, undefined);
test('a key of a suspended organisation does not', isDenied, {suspended: true}, 'suspended');
test('a key of this environment passes', isDenied, {environments: ['production']}, undefined);
test('a key of another environment does not', isDenied, {environments: ['staging']}, 'environment');
test('a key of no environment does not', isDenied, {environments: []}, 'environment');
test(
  'who has not the secret learns nothing of the key',
  isDenied,
  {secretHash: hashSecret('other'), revoked: true, suspended: true, environments: []},
  'unknown',
);

test('a key that does not exist is unknown', t => {
  t.is(denialOf(undefined, {secretHash, nowMs, environment: 'production'}), 'unknown');
});

test('a key may be limited to models', t => {
  t.true(mayUseModel(principal, 'any'));
  t.true(mayUseModel({...principal, models: ['a']}, 'a'));
  t.false(mayUseModel({...principal, models: ['a']}, 'b'));
  t.false(mayUseModel({...principal, models: []}, 'a'));
});

test('unknown, revoked and expired read the same', t => {
  const [unknown, revoked, expired] = (['unknown', 'revoked', 'expired'] as const).map(toError);
  t.is(unknown?.status, 401);
  for (const error of [revoked, expired]) {
    t.deepEqual([error?.code, error?.message], [unknown?.code, unknown?.message]);
  }
  t.is(toError('suspended').status, 403);
  t.is(toError('environment').status, 403);
});

const isBearer = (t: ExecutionContext, header: string | undefined, token: string | undefined) =>
  t.is(bearerOf(header), token);

test('a bearer token', isBearer, 'Bearer abc', 'abc');
test('a scheme in another case', isBearer, 'bEARER  abc ', 'abc');
test('another scheme', isBearer, 'Basic abc', undefined);
test('a scheme that only begins so', isBearer, 'Bearerabc', undefined);
test('a scheme without a token', isBearer, 'Bearer ', undefined);
test('no header', isBearer, undefined, undefined);

test('a key that was made is read again, and its hash is that of its secret', t => {
  const key = makeApiKey();
  t.deepEqual(parseApiKey(key.text), {publicId: key.publicId, secret: key.secret});
  t.is(hashSecret(key.secret).length, 32);
  t.not(makeApiKey().text, key.text);
});

test('what is no key of ours is not taken for one', t => {
  const {text} = makeApiKey();
  for (const other of [
    '',
    'sk-',
    `${text}\n`,
    ` ${text}`,
    `${text}=`,
    text.slice(0, -1),
    text.toUpperCase(),
    text.replace('sk-', 'pk-'),
    text.replace(/.$/, 'é'),
  ]) {
    t.is(parseApiKey(other), undefined, JSON.stringify(other));
  }
  fc.assert(fc.property(fc.string(), other => t.is(parseApiKey(other), undefined)));
});
