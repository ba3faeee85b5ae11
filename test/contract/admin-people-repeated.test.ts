import test from 'ava';
import {startAdmin} from '../helpers/admin-server.ts';

const users = '/admin/v1/users';
const ada = {email: 'Ada.Lovelace@Example.COM', name: 'Ada'};

test('a repeated request with the same Idempotency-Key makes one of each, and shows no secret again', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('acme');
  const {id} = await admin.create(users, ada);
  const posts: ReadonlyArray<readonly [path: string, body: object | undefined, secret?: string]> = [
    [users, {email: 'x@y.de', name: 'X'}],
    [`/admin/v1/orgs/${org}/members`, {email: 'x@y.de', role: 'viewer'}],
    [`/admin/v1/orgs/${org}/group-roles`, {group: 'g', role: 'viewer'}],
    [`/admin/v1/orgs/${org}/service-keys`, {name: 'k', role: 'viewer'}, 'key'],
    [`${users}/${id}/login-links`, undefined, 'token'],
  ];
  for (const [path, body, secret] of posts) {
    const headers = {'idempotency-key': path};
    const first = await admin.call('POST', path, body, {headers});
    const again = await admin.call('POST', path, body, {headers});
    t.is(first.status, 201, first.text);
    t.is(again.status, 201, again.text);
    t.is(again.headers.get('idempotency-replayed'), 'true');
    t.is(again.body.id, first.body.id);
    t.is(again.headers.get('etag'), first.headers.get('etag'), path);
    if (secret) {
      t.is(again.body.secretShown, false);
      t.false(again.text.includes(String(first.body[secret])));
      const {rows} = await admin.database.pool('superuser').query('select a::text from answers a');
      t.false(JSON.stringify(rows).includes(String(first.body[secret])));
    }
  }
});

test('who changes or removes what is another by now is told so, and changes nothing', async t => {
  const admin = await startAdmin(t);
  const {org} = await admin.createTenant('acme');
  const user = await admin.create(users, ada);
  const base = `/admin/v1/orgs/${org}`;
  const member = await admin.create(`${base}/members`, {email: 'x@y.de', role: 'viewer'});
  const group = await admin.create(`${base}/group-roles`, {group: 'g', role: 'viewer'});
  const key = await admin.create(`${base}/service-keys`, {name: 'k', role: 'viewer'});
  const paths: ReadonlyArray<readonly [path: string, change?: object]> = [
    [`${users}/${user.id}`, {name: 'Other'}],
    [`/admin/v1/members/${member.id}`, {role: 'admin'}],
    [`/admin/v1/group-roles/${group.id}`, {role: 'admin'}],
    [`/admin/v1/service-keys/${key.id}`],
  ];
  for (const [path, change] of paths) {
    const shown = await admin.call('GET', path);
    const tag = String(shown.headers.get('etag'));
    const stale = {headers: {'if-match': '"another"'}};
    t.is((await admin.call('DELETE', path, undefined, stale)).status, 412, path);
    if (change) {
      t.is((await admin.call('PATCH', path, change, stale)).status, 412, path);
      t.deepEqual((await admin.call('GET', path)).body, shown.body);
      const changed = await admin.call('PATCH', path, change, {headers: {'if-match': tag}});
      t.is(changed.status, 200, changed.text);
      const late = await admin.call('PATCH', path, change, {headers: {'if-match': tag}});
      t.is(late.status, 412, path);
    }
    const now = String((await admin.call('GET', path)).headers.get('etag'));
    t.is((await admin.call('GET', path, undefined, {headers: {'if-none-match': now}})).status, 304);
    const gone = await admin.call('DELETE', path, undefined, {headers: {'if-match': now}});
    t.is(gone.status, 204, gone.text);
  }
});
