import test from 'ava';
import fc from 'fast-check';
import {cookieIn, createCookies} from '../../functions/auth/login/cookies.ts';
import {escapeHtml} from '../../functions/auth/login/pages.ts';
import {toFault} from '../../functions/auth/login/provider-fault.ts';
import {homePath, localPath} from '../../functions/auth/login/return-to.ts';
import {createSeal} from '../../functions/auth/login/seal.ts';

const secret = 'a-secret-of-more-than-32-characters';

test('what was sealed is read again until it is over, with the same secret and for the same purpose', t => {
  let nowMs = 1_000;
  const make = (more: {secret?: string; purpose?: string} = {}) =>
    createSeal({secret, purpose: 'login', now: () => nowMs, ...more});
  const value = {state: 'one', returnTo: '/é'};
  const text = make().close(value, 100);
  t.regex(text, /^[\w-]+$/, 'as a cookie takes it');
  t.false(Buffer.from(text, 'base64url').includes('state'));
  t.deepEqual(make().open(text), value);
  t.not(make().close(value, 100), text, 'twice the same is not the same');
  t.is(make({secret: `${secret}.`}).open(text), undefined);
  t.is(make({purpose: 'other'}).open(text), undefined);
  nowMs += 100;
  t.is(make().open(text), undefined);
});

test('what was changed in any place, cut or made up is not read', t => {
  const seal = createSeal({secret, purpose: 'login'});
  const bytes = Buffer.from(seal.close({state: 'one'}, 60_000), 'base64url');
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 1;
    t.is(seal.open(changed.toString('base64url')), undefined, `byte ${at}`);
    t.is(seal.open(bytes.subarray(0, at).toString('base64url')), undefined, `cut at ${at}`);
  }
  t.is(seal.open(''), undefined);
  t.is(seal.open('%%%'), undefined);
});

test('a return path is kept when it is one of this host', t => {
  for (const path of [
    '/',
    '/console',
    '/console?a=//b&c=%2f#d',
    '/auth/session',
    '/a%20b/c',
    '/a//b',
  ]) {
    t.is(localPath(path), path);
  }
  for (const path of [undefined, '', 7, ['/a'], 'a', `/${'a'.repeat(3_000)}`, '/%', '/é']) {
    t.is(localPath(path), homePath);
  }
});

test('whatever is asked for, a login returns to this host', t => {
  const part = fc.constantFrom(
    '/',
    '\\',
    '%2f',
    '%5c',
    '%25',
    '.',
    '..',
    '@',
    ':',
    '?',
    '#',
    '\t',
    '\n',
    '%09',
    'evil.example',
    'a',
    '\u0000',
    ';',
  );
  fc.assert(
    fc.property(fc.array(part, {maxLength: 12}), parts => {
      const path = localPath(parts.join(''));
      const base = 'https://sluice.example.org';
      const decoded = decodeURIComponent(new URL(path, base).pathname);
      t.is(new URL(path, base).origin, base, path);
      t.is(new URL(decoded, base).origin, base, `decoded ${path}`);
      // As text of a Location header, read by a browser that takes a backslash for a slash.
      t.false(/^[/\\]{2}/.test(path), path);
    }),
    {numRuns: 5_000},
  );
});

test('cookies over TLS are bound to their host, and are read by their whole name', t => {
  const cookies = createCookies('https://sluice.example.org');
  t.is(
    cookies.set(cookies.session, 'x', 60),
    '__Host-sluice-session=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure',
  );
  const plain = createCookies('http://localhost:8080');
  t.is(plain.clear(plain.login), 'sluice-login=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
  const header = 'sluice-session=tossed; a__Host-sluice-session=1; __Host-sluice-session=mine; b=2';
  t.is(cookieIn(header, cookies.session), 'mine');
  t.is(cookieIn('sluice-session=tossed', cookies.session), undefined);
  t.is(cookieIn(undefined, cookies.session), undefined);
});

test('what a page shows of others is text', t => {
  t.is(
    escapeHtml(`<a href="x" onclick='y'>&`),
    '&lt;a href=&quot;x&quot; onclick=&#39;y&#39;&gt;&amp;',
  );
});

test('a fault of the provider tells the log what, and never a token', t => {
  const issuer = 'https://id.example.org';
  const away = toFault(Object.assign(new Error('fetch failed'), {code: 'ECONNREFUSED'}), issuer);
  t.is(away.kind, 'away');
  const nested = new Error('outer', {
    cause: {claims: {email: 'ada@example.org'}, id_token: 'secret'},
  });
  const wrong = toFault(Object.assign(nested, {code: 'OAUTH_INVALID_RESPONSE'}), issuer);
  t.is(wrong.kind, 'wrong');
  t.notRegex(wrong.message, /ada|secret/);
  t.is(toFault(undefined, issuer).kind, 'wrong');
});
