import assert from 'node:assert/strict';
import {createHash, randomUUID} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import {redisAt} from '../../events/redis.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Asked, ClaimStore} from '../../functions/gateway/idempotency/claim.ts';
import {createMemoryClaims} from '../../functions/gateway/idempotency/store-memory.ts';
import {createPostgresClaims} from '../../functions/gateway/idempotency/store-postgres.ts';
import {createRedisClaims} from '../../functions/gateway/idempotency/store-redis.ts';
import {createTestDatabase} from '../helpers/database.ts';
import {eventually} from '../helpers/eventually.ts';
import {testRedis} from '../helpers/redis.ts';

type World = Readonly<{
  org: string;
  project: string;
  /** Two processes' views of the same claims. */
  stores: readonly [ClaimStore, ClaimStore];
}>;

const inMemory = async (): Promise<World> => {
  const store = createMemoryClaims();
  return {org: uuidv7(), project: uuidv7(), stores: [store, store]};
};

const inRedis = async (t: ExecutionContext): Promise<World> => {
  const {url, prefix} = testRedis(t);
  const open = () => {
    const store = createRedisClaims({redis: redisAt(url), prefix});
    t.teardown(store.close);
    return store;
  };
  return {org: uuidv7(), project: uuidv7(), stores: [open(), open()]};
};

const openDatabase = async (t: ExecutionContext) => {
  const database = await createTestDatabase(t);
  const [org, project] = [uuidv7(), uuidv7()];
  const superuser = database.pool('superuser');
  await superuser.query("insert into orgs (id, name) values ($1, 'o')", [org]);
  await superuser.query("insert into projects (id, org_id, name) values ($1, $2, 'p')", [
    project,
    org,
  ]);
  return {database, superuser, org, project};
};

const inPostgres = async (t: ExecutionContext): Promise<World> => {
  const {database, org, project} = await openDatabase(t);
  const store = createPostgresClaims(database.pool('gateway'));
  return {org, project, stores: [store, store]};
};

const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const longMs = 3_600_000;
const asking = ({org, project}: World, more: Partial<Asked> = {}): Asked => ({
  id: digest('key'),
  org,
  project,
  hash: digest('body'),
  fence: randomUUID(),
  holdMs: longMs,
  ...more,
});

for (const [name, open] of [
  ['memory', inMemory],
  ['Redis', inRedis],
  ['PostgreSQL', inPostgres],
] as const) {
  test(`${name}: of many that take one claim at once, one has it and the others are told that it runs`, async t => {
    const world = await open(t);
    const found = await Promise.all(
      Array.from({length: 20}, (_, index) =>
        (world.stores[index % 2] as ClaimStore).take(asking(world)),
      ),
    );
    t.is(found.filter(({state}) => state === 'taken').length, 1);
    const others = found.filter(({state}) => state !== 'taken');
    t.deepEqual(new Set(others.map(other => JSON.stringify(other))).size, 1);
    t.deepEqual(others[0], {state: 'running', hash: digest('body')});
  });

  test(`${name}: what has finished is told to everybody, with its bytes where they were kept`, async t => {
    const world = await open(t);
    const [one, two] = world.stores;
    const result = Buffer.from([0, 255, 13, 10, 128]);
    for (const kept of [result, undefined]) {
      const asked = asking(world, {id: digest(String(kept))});
      await one.take(asked);
      t.true(await one.finish({...asked, result: kept, keepMs: longMs}));
      const later = await two.take({...asked, fence: randomUUID(), hash: digest('other')});
      t.deepEqual(later, {state: 'finished', hash: asked.hash, result: kept});
    }
  });

  test(`${name}: what was released may be taken again, by another body too`, async t => {
    const world = await open(t);
    const [one, two] = world.stores;
    const asked = asking(world);
    await one.take(asked);
    t.true(await one.release(asked));
    const next = asking(world, {hash: digest('other')});
    t.is((await two.take(next)).state, 'taken');
    t.deepEqual(await one.take(asked), {state: 'running', hash: digest('other')});
  });

  test(`${name}: a claim whose holder is dead runs out, and its holder ends nothing when it comes back`, async t => {
    const world = await open(t);
    const [one, two] = world.stores;
    const dead = asking(world, {holdMs: 30});
    t.is((await one.take(dead)).state, 'taken');
    const next = asking(world);
    await eventually(async () => assert.equal((await two.take(next)).state, 'taken'));
    t.false(await one.finish({...dead, result: undefined, keepMs: longMs}));
    t.false(await one.release(dead));
    t.is((await one.take(asking(world))).state, 'running');
    t.true(await two.finish({...next, result: undefined, keepMs: longMs}));
  });

  test(`${name}: what ran out is ended by nobody, and what is ended is ended once`, async t => {
    const world = await open(t);
    const [one] = world.stores;
    const late = asking(world, {id: digest('late'), holdMs: 1});
    await one.take(late);
    await eventually(async () => {
      const probe = {...late, fence: randomUUID(), holdMs: 1};
      assert.equal((await one.take(probe)).state, 'taken');
    });
    t.false(await one.finish({...late, result: undefined, keepMs: longMs}));
    const asked = asking(world);
    await one.take(asked);
    t.true(await one.finish({...asked, result: undefined, keepMs: longMs}));
    t.false(await one.finish({...asked, result: Buffer.from('x'), keepMs: longMs}));
    t.false(await one.release(asked));
  });

  test(`${name}: a result is forgotten when its time is over`, async t => {
    const world = await open(t);
    const [one, two] = world.stores;
    const asked = asking(world);
    await one.take(asked);
    await one.finish({...asked, result: Buffer.from('x'), keepMs: 30});
    await eventually(async () => assert.equal((await two.take(asking(world))).state, 'taken'));
    t.is((await one.take(asking(world))).state, 'running');
  });
}

test('PostgreSQL: what is forgotten is swept by the claims that come after it', async t => {
  const world = await openDatabase(t);
  const store = createPostgresClaims(world.database.pool('gateway'));
  const open = {...world, stores: [store, store] as const};
  const old = Array.from({length: 6}, (_, index) =>
    asking(open, {id: digest(String(index)), holdMs: 1}),
  );
  await Promise.all(old.map(store.take));
  const count = async () => {
    const {rows} = await world.superuser.query(
      'select count(*)::int as count from idempotency_claims where expires_at <= clock_timestamp()',
    );
    return rows[0].count as number;
  };
  let turn = 0;
  await eventually(async () => {
    await store.take(asking(open, {id: digest(`new ${turn++}`)}));
    assert.equal(await count(), 0);
  });
  const {rows} = await world.superuser.query(
    'select count(*)::int as count from idempotency_claims',
  );
  t.is(rows[0].count, turn);
});

test('PostgreSQL: a gateway reaches claims by the three functions only, and a tenant not at all', async t => {
  const {database} = await openDatabase(t);
  for (const role of ['gateway', 'tenant', 'system'] as const) {
    for (const text of [
      'select * from idempotency_claims',
      'delete from idempotency_claims',
      'update idempotency_claims set finished = true',
    ]) {
      await t.throwsAsync(database.pool(role).query(text), {code: '42501'}, `${role}: ${text}`);
    }
  }
  await t.throwsAsync(
    database.pool('tenant').query('select release_claim($1, $2)', [Buffer.alloc(32), uuidv7()]),
    {code: '42501'},
  );
});
