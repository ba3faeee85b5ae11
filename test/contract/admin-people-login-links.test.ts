import test from 'ava';
import {hashToken} from '../../events/access/session.ts';
import {type AdminServer, startAdmin} from '../helpers/admin-server.ts';

const users = '/admin/v1/users';
const ada = {email: 'Ada.Lovelace@Example.COM', name: 'Ada'};

/** As the auth function does it. */
const use = async ({database}: AdminServer, token: unknown) => {
  const {rows} = await database
    .pool('tenant')
    .query('select use_login_link($1) as found', [hashToken(String(token))]);
  return rows[0].found;
};

test('a login link is used once, however many come with it, and by no other token', async t => {
  const admin = await startAdmin(t);
  const {body: user} = await admin.call('POST', users, ada);
  const made = await admin.call('POST', `${users}/${user.id}/login-links`);
  t.is(made.status, 201);
  t.is(made.headers.get('cache-control'), 'no-store');
  const {token, path, expiresAt} = made.body;
  t.is(path, `/auth/link#${token}`);
  const minutes = (Date.parse(String(expiresAt)) - Date.now()) / 60_000;
  t.true(minutes > 13 && minutes < 16, String(minutes));
  const {rows} = await admin.database.pool('superuser').query('select l::text from login_links l');
  t.false(JSON.stringify(rows).includes(String(token)));
  t.is(await use(admin, `${String(token).slice(0, -1)}_`), null);
  const found = await Promise.all(Array.from({length: 5}, () => use(admin, token)));
  t.deepEqual(
    found.filter(one => one !== null),
    [{id: user.id, email: 'ada.lovelace@example.com', name: 'Ada'}],
  );
});

test('a login link that is over, or of a user who is disabled, logs nobody in', async t => {
  const admin = await startAdmin(t);
  const {body: user} = await admin.call('POST', users, ada);
  const path = `${users}/${user.id}/login-links`;
  const {token: old} = (await admin.call('POST', path)).body;
  const pool = admin.database.pool('superuser');
  await pool.query("update login_links set expires_at = now() - interval '1 second'");
  t.is(await use(admin, old), null);
  const {token} = (await admin.call('POST', path)).body;
  const {token: untried} = (await admin.call('POST', path)).body;
  await admin.call('PATCH', `${users}/${user.id}`, {disabled: true});
  t.is(await use(admin, token), null);
  t.like(await admin.call('POST', path), {status: 409, body: {code: 'conflict'}});
  await admin.call('PATCH', `${users}/${user.id}`, {disabled: false});
  t.is(await use(admin, untried), null, 'it is gone, not asleep');
});

test('of many login links of a user the newest three are good', async t => {
  const admin = await startAdmin(t);
  const {body: user} = await admin.call('POST', users, ada);
  const {body: other} = await admin.call('POST', users, {email: 'b@c.de', name: 'B'});
  const kept = (await admin.call('POST', `${users}/${other.id}/login-links`)).body.token;
  const tokens: unknown[] = [];
  for (let count = 0; count < 6; count += 1) {
    tokens.push((await admin.call('POST', `${users}/${user.id}/login-links`)).body.token);
  }
  const found = [];
  for (const token of tokens) {
    found.push((await use(admin, token)) !== null);
  }
  t.deepEqual(found, [false, false, false, true, true, true]);
  t.not(await use(admin, kept), null);
});
