import test from 'ava';
import {parseApiKey} from '../../events/api-key.ts';
import {isUuid} from '../../events/uuid.ts';
import {adminKey, type Json, startAdmin} from '../helpers/admin-server.ts';

test('an organisation is created, shown, listed and found by its name', async t => {
  const {call} = await startAdmin(t);
  const created = await call('POST', '/admin/v1/orgs', {name: 'Zürich & Söhne "1"'});
  t.is(created.status, 201);
  t.true(isUuid(created.body.id));
  t.is(created.headers.get('location'), `/admin/v1/orgs/${created.body.id}`);
  t.is(created.headers.get('cache-control'), 'no-store');
  const shown = await call('GET', `/admin/v1/orgs/${created.body.id}`);
  t.deepEqual(shown.body, created.body);
  await call('POST', '/admin/v1/orgs', {name: 'Other'});
  const query = new URLSearchParams({name: 'Zürich & Söhne "1"'});
  t.deepEqual((await call('GET', `/admin/v1/orgs?${query}`)).body.data, [created.body]);
  t.is((await call('GET', '/admin/v1/orgs')).body.data.length, 2);
});

test('a list comes in pages whose ends meet', async t => {
  const {call, create} = await startAdmin(t);
  const names = ['one', 'two', 'three', 'four', 'five'];
  for (const name of names) {
    await create('/admin/v1/orgs', {name});
  }
  const seen: unknown[] = [];
  let path = '/admin/v1/orgs?limit=2';
  for (;;) {
    const {body} = await call('GET', path);
    t.true(body.data.length <= 2);
    seen.push(...body.data.map(({name}) => name));
    if (body.next === undefined) {
      break;
    }
    path = `/admin/v1/orgs?limit=2&after=${body.next}`;
  }
  t.deepEqual(seen, names);
});

test('a name is taken once: by an organisation of all, by a project of its organisation', async t => {
  const {call, create} = await startAdmin(t);
  const one = await create('/admin/v1/orgs', {name: 'one'});
  const two = await create('/admin/v1/orgs', {name: 'two'});
  const again = await call('POST', '/admin/v1/orgs', {name: 'one'});
  t.like(again, {status: 409, body: {code: 'conflict', parameter: 'name'}});
  await create(`/admin/v1/orgs/${one.id}/projects`, {name: 'same'});
  await create(`/admin/v1/orgs/${two.id}/projects`, {name: 'same'});
  t.is((await call('POST', `/admin/v1/orgs/${one.id}/projects`, {name: 'same'})).status, 409);
});

test('of two who create the same organisation at once one gets it and one is told', async t => {
  const {call} = await startAdmin(t);
  const answers = await Promise.all(
    Array.from({length: 4}, () => call('POST', '/admin/v1/orgs', {name: 'race'})),
  );
  t.deepEqual(answers.map(({status}) => status).toSorted(), [201, 409, 409, 409]);
});

test('a project keeps what an unsettled request costs', async t => {
  const {call, create} = await startAdmin(t);
  const org = await create('/admin/v1/orgs', {name: 'one'});
  const path = `/admin/v1/orgs/${org.id}/projects`;
  const usual = await create(path, {name: 'usual'});
  const waiving = await create(path, {name: 'waiving', unsettledPolicy: 'waive'});
  t.like(usual, {org: org.id, unsettledPolicy: 'prompt'});
  t.like(waiving, {unsettledPolicy: 'waive'});
  t.deepEqual((await call('GET', path)).body.data, [usual, waiving]);
});

test('a key is shown once, and of its secret only the hash is kept', async t => {
  const {call, createTenant, database} = await startAdmin(t);
  const {project} = await createTenant('one');
  const path = `/admin/v1/projects/${project}/keys`;
  const expiresAt = new Date(Date.now() + 60_000).toISOString();
  const limits = {models: ['a', 'b'], environments: ['staging'], expiresAt};
  const {body} = await call('POST', path, {name: 'limited', ...limits});
  const {publicId, secret} = parseApiKey(body.key as string) ?? {};
  t.is(body.publicId, publicId);
  t.like(body, {project, name: 'limited', ...limits});
  const listed = (await call('GET', path)).body.data.find(({id}) => id === body.id) as Json;
  const {key: _key, ...rest} = body;
  t.deepEqual(listed, rest);
  const {rows} = await database.pool('superuser').query(
    `select encode(secret_hash, 'hex') = encode(sha256($2), 'hex') as hashed, k::text || o.events as stored
       from keys k, (select string_agg(event::text, '') as events from outbox) o where k.id = $1`,
    [body.id, Buffer.from(secret as string)],
  );
  t.true(rows[0].hashed);
  t.false(rows[0].stored.includes(secret));
});

test('a key is revoked once, however often that is asked for, and both are told in the outbox', async t => {
  const {call, createTenant, database} = await startAdmin(t);
  const {org, project, key} = await createTenant('one');
  t.is((await call('DELETE', `/admin/v1/keys/${key}`)).status, 204);
  const path = `/admin/v1/projects/${project}/keys`;
  const {revokedAt} = (await call('GET', path)).body.data[0] as Json;
  t.is(typeof revokedAt, 'string');
  t.is((await call('DELETE', `/admin/v1/keys/${key}`)).status, 204);
  t.is(((await call('GET', path)).body.data[0] as Json).revokedAt, revokedAt);
  const {rows} = await database
    .pool('superuser')
    .query(
      "select destination, org_id, event from outbox where event ->> 'type' like 'dev.sluice.key.%' order by id",
    );
  t.deepEqual(
    rows.map(({event}) => [event.id, event.type, event.data]),
    ['created', 'revoked'].map(what => [
      `${key}/${what}`,
      `dev.sluice.key.${what}.v1`,
      {key, project, name: 'one'},
    ]),
  );
  t.true(rows.every(row => row.destination === 'broker:default' && row.org_id === org));
  const changes = await database
    .pool('superuser')
    .query("select count(*)::int as count from changes where kind = 'key' and subject = $1", [key]);
  t.is(changes.rows[0].count, 2);
});

test('nothing is answered without the admin key, whatever is asked', async t => {
  const {send, call, contract} = await startAdmin(t);
  for (const token of [null, '', 'wrong', `${adminKey} `.repeat(2), adminKey.slice(0, -1)]) {
    const answer = await send('GET', '/admin/v1/orgs', undefined, {token});
    t.like(answer, {status: 401, body: {code: 'unauthorized'}}, String(token));
    t.is((await send('GET', '/admin/v1/nothing', undefined, {token})).status, 401);
  }
  const served = Object.entries(contract.document.paths).filter(
    ([path]) => !/models|usage/.test(path),
  );
  for (const [path, item] of served) {
    for (const method of Object.keys(item).filter(name => name !== 'parameters')) {
      const answer = await call(method.toUpperCase(), path.replace(/\{\w+\}/, 'x'), undefined, {
        token: 'wrong',
      });
      t.is(answer.status, 401, `${method} ${path}`);
    }
  }
});

test('a path that is none is 404 with the key', async t => {
  const {send} = await startAdmin(t);
  t.like(await send('GET', '/admin/v1/nothing'), {status: 404, body: {code: 'not_found'}});
  const other = await send('PUT', '/admin/v1/orgs', {});
  t.like(other, {status: 405, body: {code: 'method_not_allowed'}});
  t.is(other.headers.get('allow'), 'POST, GET, HEAD, OPTIONS');
});
