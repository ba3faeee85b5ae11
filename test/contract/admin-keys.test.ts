/** Keys: scopes, changes, rotation and revocation, as the admin API has them and as the cache of keys judges them. */
import assert from 'node:assert/strict';
import test, {type ExecutionContext} from 'ava';
import {watchChanges} from '../../events/changes.ts';
import {createPool} from '../../events/database.ts';
import {createPrincipalLoader} from '../../functions/auth/load-principal.ts';
import {hasScope} from '../../functions/auth/principal.ts';
import {createPrincipals} from '../../functions/auth/principals.ts';
import {type AdminServer, startAdmin} from '../helpers/admin-server.ts';
import {eventually} from '../helpers/eventually.ts';

/** An admin API and a cache of keys that follows it. */
const start = async (t: ExecutionContext) => {
  const admin = await startAdmin(t);
  const {project, org} = await admin.createTenant('one');
  const databaseUrl = admin.database.url('gateway');
  const pool = createPool({databaseUrl, name: 'auth', connectTimeoutMs: 60_000});
  const clock = {aheadMs: 0};
  const principals = createPrincipals({
    environment: 'development',
    load: createPrincipalLoader(pool),
    now: () => Date.now() + clock.aheadMs,
  });
  const changes = watchChanges({databaseUrl, onChanges: principals.onChanges});
  t.teardown(async () => {
    await changes.close();
    await pool.end();
  });
  await changes.start();
  const verdict = async (text: string) => {
    const found = await principals.verify(text);
    return 'denied' in found ? found.denied : 'passes';
  };
  const becomes = (text: string, wanted: string) =>
    eventually(async () => assert.equal(await verdict(text), wanted), {timeoutMs: 10_000});
  const createKey = (more: object = {}) =>
    admin.create(`/admin/v1/projects/${project}/keys`, {name: 'k', ...more});
  return {...admin, org, project, principals, clock, verdict, becomes, createKey};
};

const rotate = async ({call}: AdminServer, id: string, body: object = {}) => {
  const {status, body: view} = await call('POST', `/admin/v1/keys/${id}/rotate`, body);
  assert.equal(status, 200, JSON.stringify(view));
  return view;
};

test('a rotated key keeps its id and limits, and both secrets pass until the overlap ends', async t => {
  const world = await start(t);
  const made = await world.createKey({parallelRequests: 7});
  const [old, id] = [made.key as string, made.id];
  await world.becomes(old, 'passes');
  const rotated = await rotate(world, id, {overlapSeconds: 3_600});
  t.like(rotated, {id, parallelRequests: 7});
  t.not(rotated.publicId, made.publicId);
  t.is(typeof rotated.rotatedAt, 'string');
  const untilMs = Date.parse(rotated.previousExpiresAt as string);
  t.true(Math.abs(untilMs - Date.now() - 3_600_000) < 60_000);
  await world.becomes(rotated.key as string, 'passes');
  t.is(await world.verdict(old), 'passes');
  const {key: _secret, ...shown} = rotated;
  t.deepEqual((await world.call('GET', `/admin/v1/keys/${id}`)).body as object, shown);
  world.clock.aheadMs = 3_600_001;
  t.is(await world.verdict(old), 'expired');
  t.is(await world.verdict(rotated.key as string), 'passes');
});

test('both secrets of a rotated key are forgotten when it is revoked', async t => {
  const world = await start(t);
  const made = await world.createKey();
  const rotated = await rotate(world, made.id);
  const secrets = [made.key as string, rotated.key as string];
  for (const secret of secrets) {
    await world.becomes(secret, 'passes');
  }
  t.is((await world.call('DELETE', `/admin/v1/keys/${made.id}`)).status, 204);
  for (const secret of secrets) {
    await world.becomes(secret, 'revoked');
  }
});

test('rotating again within the overlap ends the oldest secret at once, and no overlap ends the last one', async t => {
  const world = await start(t);
  const made = await world.createKey();
  const second = await rotate(world, made.id);
  await world.becomes(made.key as string, 'passes');
  const third = await rotate(world, made.id);
  await world.becomes(made.key as string, 'unknown');
  t.is(await world.verdict(second.key as string), 'passes');
  const fourth = await rotate(world, made.id, {overlapSeconds: 0});
  t.is(fourth.previousExpiresAt, undefined);
  await world.becomes(third.key as string, 'unknown');
  t.is(await world.verdict(second.key as string), 'unknown');
  t.is(await world.verdict(fourth.key as string), 'passes');
});

test('of many who rotate a key at once each gets a secret, and two of them are good', async t => {
  const world = await start(t);
  const {id} = await world.createKey();
  const rotated = await Promise.all(Array.from({length: 6}, () => rotate(world, id)));
  t.is(new Set(rotated.map(({key}) => key)).size, 6);
  await eventually(async () => {
    const verdicts = await Promise.all(rotated.map(({key}) => world.verdict(key as string)));
    assert.deepEqual(verdicts.toSorted(), ['passes', 'passes', ...Array(4).fill('unknown')]);
  });
});

test('no overlap is longer than 30 days, and a key that is over is not rotated', async t => {
  const world = await start(t);
  const {call, createKey} = world;
  const {id} = await createKey();
  for (const overlapSeconds of [-1, 1.5, 30 * 86_400 + 1, 'day']) {
    t.is((await call('POST', `/admin/v1/keys/${id}/rotate`, {overlapSeconds})).status, 400);
  }
  t.is((await call('POST', `/admin/v1/keys/${id}/rotate`, {overlap: 1})).status, 400);
  await rotate(world, id, {overlapSeconds: 30 * 86_400});
  await call('DELETE', `/admin/v1/keys/${id}`);
  t.is((await call('POST', `/admin/v1/keys/${id}/rotate`, {})).status, 409);
  t.is((await call('PATCH', `/admin/v1/keys/${id}`, {name: 'again'})).status, 409);
});

test('a key is named, narrowed and widened, and what is over is not taken', async t => {
  const {call, createKey, becomes, principals} = await start(t);
  const {id, key} = await createKey({models: ['a'], scopes: ['inference']});
  const path = `/admin/v1/keys/${id}`;
  const expiresAt = new Date(Date.now() + 60_000).toISOString();
  const narrow = {
    name: 'other',
    models: ['b'],
    environments: ['development'],
    scopes: ['models', 'events'],
    expiresAt,
  };
  t.like((await call('PATCH', path, narrow)).body, narrow);
  await eventually(async () => {
    const found = await principals.verify(key as string);
    assert.ok('principal' in found && found.principal.models?.includes('b'));
    assert.deepEqual(
      (['inference', 'models', 'events'] as const).map(scope => hasScope(found.principal, scope)),
      [false, true, true],
    );
  });
  const wide = {models: null, environments: null, scopes: null, expiresAt: null};
  const {body} = await call('PATCH', path, wide);
  t.deepEqual(
    Object.keys(wide).filter(name => name in body),
    [],
  );
  t.is(body.name, 'other');
  for (const wrong of [
    {expiresAt: new Date(Date.now() - 1_000).toISOString()},
    {expiresAt: 'tomorrow'},
    {scopes: []},
    {scopes: ['admin']},
    {name: ''},
    {models: []},
    {},
  ]) {
    t.is((await call('PATCH', path, wrong)).status, 400, JSON.stringify(wrong));
  }
  await call('PATCH', path, {environments: ['production']});
  await becomes(key as string, 'environment');
});

test('the audit of a rotation has neither secret nor digest', async t => {
  const world = await start(t);
  const made = await world.createKey();
  const rotated = await rotate(world, made.id);
  const {rows} = await world.database.pool('superuser').query<{operation: string; text: string}>(
    `select a.operation, a.before::text || a.after::text || (select string_agg(event::text, '') from outbox) as text
       from audit a where a.subject = $1 and a.operation = 'rotateKey'`,
    [made.id],
  );
  t.is(rows.length, 1);
  for (const {key} of [made, rotated]) {
    const secret = (key as string).split('-').slice(2).join('-');
    t.false(rows[0]?.text.includes(secret));
  }
  t.false(/secret_hash/.test(rows[0]?.text as string));
});

test('who may read in an organisation rotates and revokes nothing, and another organisation sees no key', async t => {
  const {call, createKey, createTenant, createServiceKey, org} = await start(t);
  const {id} = await createKey();
  const other = await createTenant('other');
  const viewer = {token: await createServiceKey(org, 'viewer')};
  const member = {token: await createServiceKey(org, 'member')};
  const stranger = {token: await createServiceKey(other.org, 'owner')};
  const rotation = `/admin/v1/keys/${id}/rotate`;
  t.is((await call('POST', rotation, {}, viewer)).status, 403);
  t.is((await call('POST', rotation, {}, stranger)).status, 404);
  t.is((await call('DELETE', `/admin/v1/keys/${id}?now=true`, undefined, viewer)).status, 403);
  t.is((await call('DELETE', `/admin/v1/keys/${id}`, undefined, stranger)).status, 404);
  t.is((await call('POST', rotation, {}, member)).status, 200);
  t.is((await call('DELETE', `/admin/v1/keys/${id}?now=true`, undefined, member)).status, 204);
});

test('a deleted project revokes its keys, is listed no more and leaves its name', async t => {
  const world = await start(t);
  const {call, create, createKey, org, project} = world;
  const {id, key} = await createKey();
  await world.becomes(key as string, 'passes');
  t.is((await call('DELETE', `/admin/v1/projects/${project}`)).status, 204);
  await world.becomes(key as string, 'revoked');
  t.is(typeof (await call('GET', `/admin/v1/keys/${id}`)).body.revokedAt, 'string');
  t.deepEqual((await call('GET', `/admin/v1/orgs/${org}/projects`)).body.data, []);
  t.is(typeof (await call('GET', `/admin/v1/projects/${project}`)).body.deletedAt, 'string');
  const refused = await call('POST', `/admin/v1/projects/${project}/keys`, {name: 'late'});
  t.like(refused, {status: 409, body: {code: 'conflict'}});
  t.is((await call('PATCH', `/admin/v1/projects/${project}`, {name: 'late'})).status, 409);
  const again = await create(`/admin/v1/orgs/${org}/projects`, {name: 'one'});
  t.not(again.id, project);
  t.is((await call('DELETE', `/admin/v1/projects/${project}`)).status, 204);
});

test('a project and an organisation get another name, unless it is taken', async t => {
  const {call, create, createTenant, org, project} = await start(t);
  await createTenant('other');
  await create(`/admin/v1/orgs/${org}/projects`, {name: 'second'});
  t.is((await call('PATCH', `/admin/v1/projects/${project}`, {name: 'second'})).status, 409);
  t.is((await call('PATCH', `/admin/v1/orgs/${org}`, {name: 'other'})).status, 409);
  t.is((await call('PATCH', `/admin/v1/projects/${project}`, {name: 'third'})).body.name, 'third');
  t.is((await call('PATCH', `/admin/v1/orgs/${org}`, {name: 'third'})).body.name, 'third');
  t.is((await call('GET', `/admin/v1/orgs/${org}`)).body.name, 'third');
});
