import type {IncomingMessage} from 'node:http';
import test from 'ava';
import type {Grant} from '../../events/access/access.ts';
import {authenticate, type Claims} from '../../events/access/authenticate.ts';
import type {Directory} from '../../events/access/directory.ts';
import {
  cookieNames,
  csrfTokenOf,
  hashToken,
  makeSessionToken,
} from '../../events/access/session.ts';
import {accessSettings, verifyTokenFrom} from '../../events/access/settings.ts';
import {hashSecret, makeApiKey, makeServiceKey} from '../../events/api-key.ts';
import {readConfig} from '../../events/config.ts';
import {SluiceError} from '../../events/errors.ts';

const adminKey = 'the-admin-key-of-this-test';
const grants: Grant[] = [{org: 'an-org', role: 'admin'}];
const serviceKey = makeServiceKey();
const session = makeSessionToken();
const claims: Claims = {
  issuer: 'https://x',
  subject: 'ada',
  name: 'ada@example.org',
  groups: ['team'],
  isOperator: false,
};

const createMemoryDirectory = (over: Partial<Directory> = {}) => {
  const used: string[] = [];
  const directory: Directory = {
    scopeOf: async () => undefined,
    bySession: async hash =>
      hash.equals(hashToken(session))
        ? {id: 'ada', name: 'ada@example.org', operator: false, grants}
        : undefined,
    bySubject: async ({subject}) =>
      subject === 'ada'
        ? {id: 'ada', name: 'ada@example.org', operator: false, grants}
        : {operator: false, grants},
    byServiceKey: async publicId =>
      publicId === serviceKey.publicId
        ? {
            id: 'a-key',
            name: 'ci',
            operator: false,
            grants,
            stale: true,
            secretHash: hashSecret(serviceKey.secret),
          }
        : undefined,
    async serviceKeyUsed(id) {
      used.push(id);
    },
    ...over,
  };
  return {directory, used};
};

const ask = (
  headers: Record<string, string>,
  {method = 'GET', over = {}, token = claims as Claims | undefined} = {},
) =>
  authenticate({
    adminKey,
    directory: createMemoryDirectory(over).directory,
    verifyToken: async text => (text === 'a.b.c' ? token : undefined),
  })({method, headers} as unknown as IncomingMessage);

const refused = {instanceOf: SluiceError, message: /bearer token/} as const;

test('the admin key is the operator', async t => {
  const {kind, isOperator} = await ask({authorization: `Bearer ${adminKey}`});
  t.is(kind, 'operator');
  t.true(isOperator);
  t.true((await ask({authorization: `bearer ${adminKey}`})).isOperator);
});

for (const [what, headers] of Object.entries({
  nothing: {},
  'an empty header': {authorization: ''},
  'another scheme': {authorization: `Basic ${btoa(`x:${adminKey}`)}`},
  'a key with a letter more': {authorization: `Bearer ${adminKey}x`},
  'a key with a letter less': {authorization: `Bearer ${adminKey.slice(0, -1)}`},
  'two keys': {authorization: `Bearer ${adminKey}, Bearer ${adminKey}`},
  "a tenant's key": {authorization: `Bearer ${makeApiKey().text}`},
  'an unknown service key': {authorization: `Bearer ${makeServiceKey().text}`},
  'the public id with another secret': {
    authorization: `Bearer ssk-${serviceKey.publicId}-${makeServiceKey().secret}`,
  },
  'a service key as an API key': {authorization: `Bearer ${serviceKey.text.slice(1)}`},
  'a token that is of nobody we know': {authorization: 'Bearer x.y.z'},
  'a session that is over': {cookie: `${cookieNames.secure}=${makeSessionToken()}`},
  'the cookie of something else': {cookie: `session=${session}`},
  'the session as a bearer token': {authorization: `Bearer ${session}`},
  'the hash of a session': {
    cookie: `${cookieNames.secure}=${hashToken(session).toString('base64url')}`,
  },
})) {
  test(`401 for ${what}, in words that are the same for all`, async t => {
    const error = await t.throwsAsync(ask(headers as Record<string, string>), refused);
    t.is((error as SluiceError).status, 401);
    t.is(error?.message.includes('ssk'), false);
  });
}

test('a service key is a machine with its roles; that it was used is noted', async t => {
  const {directory, used} = createMemoryDirectory();
  const actor = await authenticate({adminKey, directory})({
    method: 'DELETE',
    headers: {authorization: `Bearer ${serviceKey.text}`},
  } as unknown as IncomingMessage);
  t.deepEqual(actor, {kind: 'service', id: 'a-key', name: 'ci', isOperator: false, grants});
  t.deepEqual(used, ['a-key']);
});

test('a token is a user, or a machine where its subject is none', async t => {
  const user = await ask({authorization: 'Bearer a.b.c'});
  t.like(user, {kind: 'user', id: 'ada', isOperator: false});
  const machine = await ask(
    {authorization: 'Bearer a.b.c'},
    {token: {...claims, subject: 'robot', name: 'ci'}},
  );
  t.like(machine, {kind: 'machine', id: 'https://x robot', name: 'ci'});
});

test('a token of an operator group is an operator, and of a disabled user nobody', async t => {
  const operator = await ask(
    {authorization: 'Bearer a.b.c'},
    {token: {...claims, isOperator: true}},
  );
  t.true(operator.isOperator);
  const over = {bySubject: async () => undefined};
  await t.throwsAsync(ask({authorization: 'Bearer a.b.c'}, {over}), refused);
});

for (const name of Object.values(cookieNames)) {
  test(`a session in the cookie ${name} reads; it changes with the token of its page alone`, async t => {
    const cookie = `a=b; ${name}=${session}; c=d`;
    t.like(await ask({cookie}), {kind: 'user', id: 'ada'});
    for (const method of ['POST', 'PATCH', 'DELETE', 'PUT', 'BREW']) {
      for (const token of [undefined, '', 'x', session, csrfTokenOf(makeSessionToken())]) {
        const headers = {cookie, ...(token === undefined ? {} : {'x-csrf-token': token})};
        const error = await t.throwsAsync(ask(headers, {method}), {instanceOf: SluiceError});
        t.is((error as SluiceError).status, 403);
      }
      t.like(await ask({cookie, 'x-csrf-token': csrfTokenOf(session)}, {method}), {id: 'ada'});
    }
    t.like(await ask({cookie}, {method: 'HEAD'}), {id: 'ada'});
  });
}

test('a header goes before a cookie, also where it is wrong', async t => {
  const cookie = `${cookieNames.secure}=${session}`;
  t.is((await ask({cookie, authorization: `Bearer ${serviceKey.text}`})).kind, 'service');
  await t.throwsAsync(ask({cookie, authorization: 'Bearer wrong'}), refused);
});

test('the provider is asked for no key of ours, and where it is away only tokens are refused', async t => {
  const asked: string[] = [];
  const identify = authenticate({
    adminKey,
    directory: createMemoryDirectory().directory,
    async verifyToken(token) {
      asked.push(token);
      throw new SluiceError('unavailable', 'away');
    },
  });
  const by = (authorization: string) =>
    identify({method: 'GET', headers: {authorization}} as unknown as IncomingMessage);
  t.is((await by(`Bearer ${adminKey}`)).kind, 'operator');
  t.is((await by(`Bearer ${serviceKey.text}`)).kind, 'service');
  t.deepEqual(asked, []);
  const error = await t.throwsAsync(by('Bearer a.b.c'), {instanceOf: SluiceError});
  t.is((error as SluiceError).status, 503);
});

test('an issuer without an audience is a fault of the configuration; without an issuer no token is known', t => {
  const read = (environment: Record<string, string>) =>
    readConfig({ADMIN_KEY: adminKey, ...environment}, accessSettings);
  t.is(verifyTokenFrom(read({})), undefined);
  t.is(verifyTokenFrom(read({OIDC_AUDIENCE: 'sluice'})), undefined);
  t.throws(() => verifyTokenFrom(read({OIDC_ISSUER: 'https://x'})), {message: /OIDC_AUDIENCE/});
  t.is(typeof verifyTokenFrom(read({OIDC_ISSUER: 'https://x', OIDC_AUDIENCE: 'y'})), 'function');
  t.throws(() => read({OIDC_ISSUER: 'ftp://x'}), {message: /OIDC_ISSUER/});
  t.deepEqual(read({OIDC_OPERATOR_GROUPS: ' a, b ,,'}).OIDC_OPERATOR_GROUPS, ['a', 'b']);
});
