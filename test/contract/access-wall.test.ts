import {randomUUID} from 'node:crypto';
import test, {type ExecutionContext} from 'ava';
import type pg from 'pg';
import {type Caller, createCallers, roleNames} from '../helpers/access-callers.ts';
import {type AccessRow, accessTable} from '../helpers/access-table.ts';
import {type AccessIds, type AccessTenant, insertAccessTenant} from '../helpers/access-tenant.ts';
import {startAccessWorld} from '../helpers/access-world.ts';
import {readDocument} from '../helpers/openapi.ts';
import {findTables} from '../helpers/wall.ts';

const targets = ['own', 'sibling', 'other', 'suspended', 'deleted'] as const;
type Target = (typeof targets)[number];
type Outcome = 'done' | 401 | 403 | 404;

const isChange = ({method}: AccessRow) => method !== 'GET';
const rank = (role: string) => roleNames.indexOf(role as (typeof roleNames)[number]);

/** The rule once more, in other words than the guard's. */
const expected = (row: AccessRow, caller: Caller, target: Target): Outcome => {
  if (caller.state === 'unknown') {
    return 401;
  }
  if (caller.isOfTenant && target === 'deleted') {
    return 401;
  }
  if (caller.state === 'forged' && isChange(row)) {
    return 403;
  }
  if (caller.state === 'operator' || row.need === 'anyone') {
    return 'done';
  }
  if (row.of === 'platform') {
    return 403;
  }
  if (target === 'other' || target === 'deleted' || caller.role === undefined) {
    return 404;
  }
  if (row.of === 'project' && caller.level === 'project' && target === 'sibling') {
    return 404;
  }
  if (row.of === 'org' && caller.level === 'project') {
    return row.near && row.need === 'viewer' && !isChange(row) ? 'done' : 403;
  }
  if (row.need === 'operator' || rank(caller.role) < rank(row.need)) {
    return 403;
  }
  return isChange(row) && target === 'suspended' ? 403 : 'done';
};

/** What a target would add nothing to is left out. */
const isWorth = (row: AccessRow, caller: Caller, target: Target) =>
  row.of === 'platform'
    ? target === 'own'
    : (caller.state !== 'unknown' || target === 'own' || target === 'other') &&
      (target !== 'sibling' || row.of === 'project') &&
      (caller.state !== 'operator' || target === 'own' || !isChange(row));

const setUp = async (t: ExecutionContext) => {
  const world = await startAccessWorld(t);
  const pool = world.database.pool('superuser');
  const {callers, grantIn} = await createCallers(pool, world.provider);
  const tenant = async (name: string) => {
    const made = await insertAccessTenant(pool, name);
    await grantIn(made);
    return made;
  };
  const own = await tenant('owl');
  const suspended = await tenant('swan');
  const deleted = await tenant('dodo');
  const busy = await tenant('busy');
  const other = await insertAccessTenant(pool, 'zebra');
  await pool.query('update orgs set suspended_at = now() where id = $1', [suspended.ids.org]);
  await pool.query(
    `update orgs set deleted_at = now(), purge_after = now() + interval '30 days' where id = $1`,
    [deleted.ids.org],
  );
  return {...world, pool, callers, tenant, own, suspended, deleted, busy, other};
};
type World = Awaited<ReturnType<typeof setUp>>;

/** Every row of an organisation, but for when something was seen last. */
const dumpOf = async (pool: pg.Pool, org: string) => {
  const client = await pool.connect();
  try {
    const rows: Record<string, unknown> = {};
    for (const {name, column} of (await findTables(client)).filter(table => table.protected)) {
      const found = await client.query(
        `select to_jsonb(t) - 'last_used_at' - 'seen_at' as row from ${name} t where ${column} = $1 order by 1`,
        [org],
      );
      rows[name] = found.rows;
    }
    const users = await client.query(
      'select u.* from users u where id in (select user_id from members where org_id = $1) order by id',
      [org],
    );
    return {...rows, users: users.rows};
  } finally {
    client.release();
  }
};

const valuesOf = ({ids, sibling, name}: AccessTenant) =>
  new Set([name, ...Object.values(ids), ...Object.values(sibling)]);

/** What a request says itself its answer may repeat. */
const leaksOf = (text: string, secrets: Iterable<string>, asked: string) =>
  [...secrets].filter(secret => text.includes(secret) && !asked.includes(secret));

const idsOf = (world: World, target: Target, fresh?: AccessTenant): AccessIds =>
  fresh?.[target === 'sibling' ? 'sibling' : 'ids'] ??
  (target === 'sibling' ? world.own.sibling : world[target].ids);

/** What leaves its subject as good for the next one as it was. */
const repeatable = /^(create\w+|change(Org|Project|Key|Budget|GroupRole))$/;

/** A change that is allowed is made in a tenant for changes; one that cannot be repeated in one of its own. */
const tryOne = async (world: World, row: AccessRow, caller: Caller, target: Target) => {
  const wanted = expected(row, caller, target);
  const isDone = wanted === 'done';
  const fresh =
    isDone && isChange(row)
      ? repeatable.test(row.operation)
        ? world.busy
        : await world.tenant(`fresh-${randomUUID()}`)
      : undefined;
  const ids = idsOf(world, target, fresh);
  const home =
    fresh ?? (target === 'suspended' || target === 'deleted' ? world[target] : world.own);
  const path = row.path(ids);
  const body = row.body?.(ids);
  const what = `${caller.name}: ${row.operation} (${row.method} ${path}) of ${target}`;
  let answer: {status: number; text: string};
  try {
    answer = await world.call(row.method, path, {headers: caller.headers(home), body});
  } catch (error) {
    return [`${what}: ${(error as Error).message.slice(0, 300)}`];
  }
  const {status, text} = answer;
  const good = row.good ? row.good.includes(status) : status >= 200 && status < 300;
  const complaints = (isDone ? good : status === wanted)
    ? []
    : [`${what}: expected ${wanted}, got ${status} ${text.slice(0, 200)}`];
  if (caller.state !== 'operator' || (row.of !== 'platform' && target !== 'other')) {
    const asked = JSON.stringify([path, body]);
    const hidden = [
      ...valuesOf(world.other),
      ...(caller.level === 'project' ? hiddenInOwn(home) : []),
      ...(caller.state !== 'operator' && caller.role === undefined ? valuesOf(home) : []),
    ];
    complaints.push(...leaksOf(text, hidden, asked).map(leak => `${what}: shows ${leak}`));
  }
  return complaints;
};

/** What of a tenant a role in its first project must not show: what is of the other project. */
const hiddenInOwn = ({ids, sibling}: AccessTenant) =>
  Object.entries(sibling).flatMap(([name, id]) => (ids[name as keyof AccessIds] === id ? [] : id));

test('every operation of the document is in the table, and nothing else', t => {
  const documented = new Set<string>();
  for (const item of Object.values(readDocument().paths)) {
    for (const [method, {operationId}] of Object.entries(item)) {
      if (typeof operationId === 'string') {
        documented.add(`${operationId} ${method.toUpperCase()}`);
      }
    }
  }
  const known = new Set(accessTable.map(({operation, method}) => `${operation} ${method}`));
  t.deepEqual([...known].toSorted(), [...documented].toSorted());
});

test('every caller may do with every tenant what is theirs to do, and nothing else', async t => {
  t.timeout(900_000);
  const world = await setUp(t);
  const dump = () =>
    Promise.all(
      [world.own, world.suspended, world.deleted, world.other].map(({ids}) =>
        dumpOf(world.pool, ids.org),
      ),
    );
  const before = await dump();
  const outcomes = new Map<string, number>();
  const complaints: string[] = [];
  let tried = 0;
  for (const row of accessTable) {
    const combinations = world.callers.flatMap(caller =>
      targets
        .filter(target => isWorth(row, caller, target))
        .map(target => [caller, target] as const),
    );
    for (let start = 0; start < combinations.length; start += 8) {
      const found = await Promise.all(
        combinations.slice(start, start + 8).map(([caller, target]) => {
          const outcome = String(expected(row, caller, target));
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          return tryOne(world, row, caller, target);
        }),
      );
      complaints.push(...found.flat());
    }
    tried += combinations.length;
  }
  t.log(`${accessTable.length} requests, ${world.callers.length} callers, ${tried} combinations`);
  t.log(JSON.stringify(Object.fromEntries(outcomes)));
  t.deepEqual(complaints.slice(0, 40), [], `${complaints.length} complaints`);
  t.deepEqual(await dump(), before);
  t.true(tried > 15_000, `${tried} combinations`);
});
