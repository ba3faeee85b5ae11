/**
Wall: whether each database role sees and does exactly what it may, table by table.

In: a superuser's connection inside a transaction, the ids of two organisations that have a row in every tenant table. Out:
what is wrong, one sentence each. Tables are found in the catalogue, so that a new one is under the wall from its first day.
*/
import type pg from 'pg';

export type Role = 'tenant' | 'gateway' | 'system';
type Table = Readonly<{name: string; column: string; protected: boolean; partition: boolean}>;
type Row = Readonly<Record<string, unknown>>;
type Outcome = Readonly<{rows: Row[]; count: number; code?: string}>;
type World = Readonly<{client: pg.ClientBase; own: string; other: string}>;

export const roles: readonly Role[] = ['tenant', 'gateway', 'system'];

const denied = '42501';
const taken = '23505';

/** What has no organisation and that a tenant's query may read all the same: the operator's list of models. */
const shared = ['models', 'endpoints', 'prices'];

export const findTables = async (client: pg.ClientBase): Promise<Table[]> => {
  const {rows} = await client.query<Table>(`
    select c.relname as name, case c.relname when 'orgs' then 'id' else a.attname end as column,
           c.relrowsecurity as protected, c.relispartition as partition
    from pg_class c
    left join pg_attribute a on a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1`);
  return rows;
};

/** Runs one statement as a role in a savepoint that is always undone. */
const tryAs = async (
  {client}: World,
  role: Role,
  org: string | undefined,
  text: string,
  values: unknown[] = [],
): Promise<Outcome> => {
  await client.query('savepoint trial');
  try {
    await client.query(`set local role sluice_${role}`);
    await client.query("select set_config('sluice.org', $1, true)", [org ?? '']);
    const {rows, rowCount} = await client.query(text, values);
    return {rows, count: rowCount ?? 0};
  } catch (error) {
    return {rows: [], count: 0, code: (error as pg.DatabaseError).code ?? String(error)};
  } finally {
    await client.query('rollback to savepoint trial');
  }
};

const mayDo = async ({client}: World, role: Role, table: string, privilege: string) => {
  const {rows} = await client.query<{may: boolean}>(
    'select has_table_privilege($1, $2, $3) as may',
    [`sluice_${role}`, `public.${table}`, privilege],
  );
  return rows[0]?.may ?? false;
};

/** A copy of the organisation's first row: passes the policies only to fail on the key that it copies. */
const insertCopy = async (world: World, role: Role, {name, column}: Table, of: string) => {
  const {rows} = await world.client.query<{row: Row}>(
    `select to_jsonb(t) as row from ${name} t where ${column} = $1 limit 1`,
    [of],
  );
  const {rows: found} = await world.client.query<{columns: string}>(
    `select string_agg(quote_ident(attname), ', ' order by attnum) as columns from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
    [name],
  );
  const columns = found[0]?.columns;
  return tryAs(
    world,
    role,
    world.own,
    `insert into ${name} (${columns}) overriding system value
     select ${columns} from jsonb_populate_record(null::${name}, $1)`,
    [JSON.stringify(rows[0]?.row)],
  );
};

const checkReading = async (world: World, table: Table): Promise<string[]> => {
  const {name, column} = table;
  const select = `select ${column} as org from ${name}`;
  const complaints: string[] = [];
  for (const role of roles) {
    const seen = await tryAs(world, role, world.own, select);
    if (!(await mayDo(world, role, name, 'select'))) {
      if (seen.code !== denied) {
        complaints.push(`${role} has no grant to read ${name}, but is not refused`);
      }
      continue;
    }
    const orgs = new Set(seen.rows.map(({org}) => org));
    if (!orgs.has(world.own)) {
      complaints.push(`${role} does not see its own rows of ${name} (${seen.code ?? 'none'})`);
    }
    if (orgs.has(world.other) === (role === 'tenant')) {
      complaints.push(`${role} ${role === 'tenant' ? 'sees' : 'does not see'} all rows of ${name}`);
    }
    const unset = await tryAs(world, role, undefined, select);
    if (role === 'tenant' && (unset.count > 0 || unset.code)) {
      complaints.push(`tenant sees rows of ${name} without an organisation`);
    }
  }
  return complaints;
};

const checkInserting = async (world: World, table: Table): Promise<string[]> => {
  const complaints: string[] = [];
  for (const role of roles) {
    const may = await mayDo(world, role, table.name, 'insert');
    const own = await insertCopy(world, role, table, world.own);
    const other = await insertCopy(world, role, table, world.other);
    if (own.code !== (may ? taken : denied)) {
      complaints.push(`${role} inserts its own row of ${table.name}: ${own.code}`);
    }
    if (other.code !== (may && role !== 'tenant' ? taken : denied)) {
      complaints.push(`${role} inserts another's row of ${table.name}: ${other.code ?? 'done'}`);
    }
  }
  return complaints;
};

const checkChanging = async (world: World, table: Table): Promise<string[]> => {
  const {name, column} = table;
  const complaints: string[] = [];
  for (const role of roles) {
    for (const [privilege, text] of [
      ['update', `update ${name} set ${column} = ${column}`],
      ['delete', `delete from ${name}`],
    ] as const) {
      const may = await mayDo(world, role, name, privilege);
      const all = await tryAs(world, role, world.own, text);
      if ((all.code === denied) === may) {
        complaints.push(`${role}: ${privilege} of ${name}: ${all.code ?? `${all.count} rows`}`);
      }
      if (may && role !== 'system') {
        const others = await tryAs(world, role, world.own, `${text} where ${column} = $1`, [
          world.other,
        ]);
        const moved = await tryAs(
          world,
          role,
          world.own,
          `update ${name} set ${column} = $1 where ${column} = $2`,
          [world.other, world.own],
        );
        if (others.count > 0 || moved.code !== denied) {
          complaints.push(`${role} changes another's rows of ${name}`);
        }
      }
      if (may && (role === 'gateway' || (role === 'tenant' && privilege === 'delete'))) {
        complaints.push(`${role} is granted ${privilege} of ${name}`);
      }
    }
  }
  return complaints;
};

/** What is not under row-level security must be out of a tenant's reach. */
const checkUnprotected = async (world: World, table: Table): Promise<string[]> => {
  const {name, column, partition} = table;
  const complaints: string[] = [];
  if (column && !partition) {
    complaints.push(`${name} has rows of organisations and no row-level security`);
  }
  for (const role of roles) {
    for (const privilege of ['select', 'insert', 'update', 'delete', 'truncate']) {
      const may = await mayDo(world, role, name, privilege);
      const allowed =
        !partition &&
        (role === 'system' ||
          (role === 'gateway' && privilege === 'select') ||
          (role === 'tenant' && privilege === 'select' && shared.includes(name)));
      if (may && !allowed) {
        complaints.push(`${role} is granted ${privilege} of ${name}`);
      }
    }
  }
  return complaints;
};

/** `only`: one table of all. */
export const checkWall = async (
  client: pg.ClientBase,
  {own, other, only}: {own: string; other: string; only?: string},
): Promise<string[]> => {
  const world = {client, own, other};
  const complaints: string[] = [];
  for (const table of await findTables(client)) {
    if (only !== undefined && only !== table.name) {
      continue;
    }
    const checks = table.protected
      ? [checkReading, checkInserting, checkChanging]
      : [checkUnprotected];
    for (const check of checks) {
      complaints.push(...(await check(world, table)));
    }
  }
  return complaints;
};
