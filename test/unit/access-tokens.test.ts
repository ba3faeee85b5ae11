import {generateKeyPairSync, sign} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import * as jose from 'jose';
import {claimsOf} from '../../events/access/claims.ts';
import {createProviderKeys} from '../../events/access/provider-keys.ts';
import {createVerifyToken} from '../../events/access/tokens.ts';
import {SluiceError} from '../../events/errors.ts';
import {nowhere} from '../helpers/http.ts';
import {startTokenProvider, type TokenProvider} from '../helpers/token-provider.ts';

const rules = {groupsClaim: 'groups', operatorGroups: ['platform']};
const seconds = () => Math.floor(Date.now() / 1_000);

const setUp = async (t: ExecutionContext, {timeoutMs = 5_000, groupsClaim = 'groups'} = {}) => {
  const provider = await startTokenProvider(t);
  const clock = {ms: 0};
  const keys = createProviderKeys({issuer: provider.issuer, now: () => clock.ms, timeoutMs});
  const verify = createVerifyToken({
    ...rules,
    groupsClaim,
    issuer: provider.issuer,
    audience: 'sluice',
    keys,
  });
  return {provider, verify, clock};
};

test('a token of the provider for us says who holds it', async t => {
  const {provider, verify} = await setUp(t);
  const token = await provider.sign({email: 'ada@example.org', groups: ['team', 'platform']});
  t.deepEqual(await verify(token), {
    issuer: provider.issuer,
    subject: 'ada',
    name: 'ada@example.org',
    groups: ['team', 'platform'],
    isOperator: true,
  });
});

for (const alg of ['RS256', 'PS256', 'ES512', 'EdDSA']) {
  test(`a key of ${alg} is good`, async t => {
    const {provider, verify} = await setUp(t);
    await provider.addKey('other', alg);
    t.is((await verify(await provider.sign({}, {kid: 'other'})))?.subject, 'ada');
  });
}

type Forge = (provider: TokenProvider) => Promise<string>;
const base64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const forged: Readonly<Record<string, Forge>> = {
  'of another issuer': provider => provider.sign({iss: 'https://elsewhere.example'}),
  'of no issuer': provider => provider.sign({iss: undefined}),
  'for another audience': provider => provider.sign({aud: 'another'}),
  'for no audience': provider => provider.sign({aud: undefined}),
  'that has expired': provider => provider.sign({exp: seconds() - 60}),
  'that never expires': provider => provider.sign({exp: undefined}),
  'that is not valid yet': provider => provider.sign({nbf: seconds() + 60}),
  'of nobody': provider => provider.sign({sub: undefined}),
  'of a subject that is no text': provider => provider.sign({sub: 7}),
  'of an empty subject': provider => provider.sign({sub: ''}),
  'of a subject too long to be one': provider => provider.sign({sub: 'x'.repeat(256)}),
  'with an unknown critical header': provider => provider.sign({}, {header: {crit: ['x'], x: 1}}),
  'whose key nobody knows': provider => provider.sign({}, {header: {kid: 'unknown'}}),
  'too long to be one': provider => provider.sign({groups: Array(2_000).fill('group')}),
  async 'without a signature (alg none)'(provider) {
    const [, payload] = (await provider.sign()).split('.');
    return `${base64({alg: 'none'})}.${payload}.`;
  },
  async 'that says none and has a signature'(provider) {
    const [, payload, signature] = (await provider.sign()).split('.');
    return `${base64({alg: 'none', kid: 'first'})}.${payload}.${signature}`;
  },
  async 'signed with the public key as a secret (HS256)'(provider) {
    const secret = new TextEncoder().encode(await jose.exportSPKI(provider.publicKey()));
    return new jose.SignJWT({})
      .setProtectedHeader({alg: 'HS256', kid: 'first'})
      .setIssuer(provider.issuer)
      .setAudience('sluice')
      .setSubject('ada')
      .setExpirationTime('5m')
      .sign(secret);
  },
  async 'whose payload was changed'(provider) {
    const [header, , signature] = (await provider.sign()).split('.');
    const payload = {iss: provider.issuer, aud: 'sluice', sub: 'eve', exp: seconds() + 300};
    return `${header}.${base64(payload)}.${signature}`;
  },
  async 'that brings its own key'() {
    const {privateKey, publicKey} = await jose.generateKeyPair('ES256', {extractable: true});
    return new jose.SignJWT({sub: 'ada', aud: 'sluice'})
      .setProtectedHeader({alg: 'ES256', jwk: await jose.exportJWK(publicKey)})
      .setExpirationTime('5m')
      .sign(privateKey);
  },
  'that is encrypted': async () => 'e30.e30.e30.e30.e30',
  'that is no token': async () => 'sk-abc',
  'of nothing': async () => 'e30.e30.e30',
  'of what is no JSON': async () => 'aaaa.bbbb.cccc',
};
for (const [what, make] of Object.entries(forged)) {
  test(`a token ${what} is of nobody we know`, async t => {
    const {provider, verify} = await setUp(t);
    t.is(await verify(await make(provider)), undefined);
  });
}

test('a key that is too weak to believe verifies nothing', async t => {
  const {privateKey, publicKey} = generateKeyPairSync('rsa', {modulusLength: 1_024});
  const jwks = {keys: [{...(await jose.exportJWK(publicKey)), kid: 'weak', alg: 'RS256'}]};
  const known = {issuer: 'https://x', jwks};
  const keys = {current: async () => known, renewed: async () => known};
  const verify = createVerifyToken({...rules, issuer: 'https://x', audience: 'sluice', keys});
  const now = seconds();
  const body = `${base64({alg: 'RS256', kid: 'weak'})}.${base64({iss: 'https://x', aud: 'sluice', sub: 'ada', exp: now + 300})}`;
  const signature = sign('sha256', Buffer.from(body), privateKey).toString('base64url');
  t.is(await verify(`${body}.${signature}`), undefined);
});

test('clocks may differ by half a minute', async t => {
  const {provider, verify} = await setUp(t);
  t.truthy(await verify(await provider.sign({exp: seconds() - 20, nbf: seconds() + 20})));
});

test('what does not look like a token of this provider never makes us ask it', async t => {
  const {provider, verify} = await setUp(t);
  for (const text of [
    'sk-abc',
    'a.b.c',
    await provider.sign({iss: 'https://elsewhere.example'}),
    await provider.sign({groups: Array(2_000).fill('group')}),
    `${base64({alg: 'none'})}.${base64({iss: provider.issuer})}.e30`,
  ]) {
    t.is(await verify(text), undefined);
  }
  t.deepEqual(provider.asked, []);
});

test('the provider is asked once for many tokens, and again when its keys are old', async t => {
  const {provider, verify, clock} = await setUp(t);
  const token = await provider.sign();
  await Promise.all(Array.from({length: 20}, () => verify(token)));
  t.is(provider.asked.length, 2);
  clock.ms = 600_001;
  await verify(token);
  t.is(provider.asked.length, 4);
});

test('a key that is new is found, and tokens with made-up keys cost the provider one answer a cooldown', async t => {
  const {provider, verify, clock} = await setUp(t);
  t.truthy(await verify(await provider.sign()));
  await provider.addKey('second');
  const fresh = await provider.sign({}, {kid: 'second'});
  t.is(await verify(fresh), undefined, 'within the cooldown of the first read');
  clock.ms += 30_000;
  t.is((await verify(fresh))?.subject, 'ada');
  const made = await provider.sign({}, {header: {kid: 'made-up'}});
  for (let time = 0; time < 50; time += 1) {
    t.is(await verify(made), undefined);
  }
  t.is(provider.asked.length, 4);
});

const faults = ['away', 'html', 'huge', 'redirect', 'other-issuer', 'foreign-keys'] as const;
for (const fault of faults) {
  test(`a token cannot be judged where the provider's answer is: ${fault}`, async t => {
    const {provider, verify, clock} = await setUp(t);
    const token = await provider.sign();
    provider.misbehave(fault);
    const error = await t.throwsAsync(verify(token), {instanceOf: SluiceError});
    t.is(error?.status, 503);
    t.is(error?.retryAfterSeconds, 5);
    const asked = provider.asked.length;
    await t.throwsAsync(verify(token), {message: /identity provider/});
    t.is(provider.asked.length, asked, 'it is left alone for a while');
    provider.misbehave(undefined);
    clock.ms += 5_000;
    t.is((await verify(token))?.subject, 'ada');
  });
}

test('a provider that hangs is waited for no longer than was said', async t => {
  const {provider, verify} = await setUp(t, {timeoutMs: 100});
  const token = await provider.sign();
  provider.misbehave('hang');
  const began = performance.now();
  await t.throwsAsync(verify(token), {message: /identity provider/});
  t.true(performance.now() - began < 3_000);
});

test('keys that were read count for an hour while the provider is away, and no longer', async t => {
  const {provider, verify, clock} = await setUp(t);
  const token = await provider.sign();
  await verify(token);
  provider.misbehave('away');
  clock.ms = 3_599_999;
  t.is((await verify(token))?.subject, 'ada');
  clock.ms = 3_700_000;
  await t.throwsAsync(verify(token), {message: /identity provider/});
});

test('an issuer may be set without the slash that its tokens have', async t => {
  const {provider, verify} = await setUp(t);
  provider.setIssuer(`${provider.issuer}/`);
  t.is((await verify(await provider.sign()))?.issuer, provider.issuer);
});

test('an issuer that nothing listens for is away', async t => {
  const provider = await startTokenProvider(t);
  const verify = createVerifyToken({...rules, issuer: nowhere, audience: 'sluice'});
  await t.throwsAsync(verify(await provider.sign({iss: nowhere})), {message: /identity provider/});
});

test('groups are found by name, by path and by a name with dots; what is no group is none', t => {
  const groupsOf = (claims: object, groupsClaim: string) =>
    claimsOf({iss: 'https://x', sub: 'ada', ...claims}, {groupsClaim, operatorGroups: []})?.groups;
  t.deepEqual(groupsOf({groups: ['a', 'b']}, 'groups'), ['a', 'b']);
  t.deepEqual(groupsOf({groups: 'a'}, 'groups'), ['a']);
  t.deepEqual(groupsOf({realm_access: {roles: ['a']}}, 'realm_access.roles'), ['a']);
  t.deepEqual(groupsOf({'https://x.org/roles': ['a']}, 'https://x.org/roles'), ['a']);
  t.deepEqual(groupsOf({'a.b': ['x'], a: {b: ['y']}}, 'a.b'), ['x']);
  t.deepEqual(groupsOf({groups: ['a', '', 7, null, {}, 'x'.repeat(257)]}, 'groups'), ['a']);
  t.deepEqual(groupsOf({}, 'groups'), []);
  t.deepEqual(groupsOf({groups: null}, 'groups.x'), []);
  t.deepEqual(groupsOf({}, '__proto__.constructor'), []);
  t.is(groupsOf({groups: Array(600).fill('a')}, 'groups')?.length, 500);
});

test('nobody is an operator by a group that is not set as one', async t => {
  const {provider, verify} = await setUp(t);
  t.false(
    (await verify(await provider.sign({groups: ['team', 'PLATFORM', 'platform ']})))?.isOperator,
  );
});
