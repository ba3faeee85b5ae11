/**
Store in PostgreSQL, as sluice_system. One statement a step and batch, arrays in, whatever the number of events.

Locks are taken in one order by every batch: records by month and request, then hourly rows by key, then daily rows by key.
Queries step down to sluice_tenant, so that row-level security and not our SQL decides what an organisation sees.
*/
import type pg from 'pg';
import {asTenant, transactionOn} from '../../events/database.ts';
import {insertDeadLetters} from '../../events/dead-letters.ts';
import {findTermsIn} from '../../events/external-terms.ts';
import {monthOf} from '../../events/uuid.ts';
import {
  namesOf,
  recordColumns,
  rollupColumns,
  rollupKeys,
  rollupSums,
  toRecord,
  unnest,
  valuesOf,
} from './columns.ts';
import {createKeyUses, type KeyUses} from './key-uses.ts';
import {pageIn} from './page-postgres.ts';
import {queryStatement, type RollupRow, toRow} from './query-sql.ts';
import type {UsageRecord} from './record.ts';
import type {Unit} from './rollup.ts';
import type {UsageStore, UsageTransaction} from './store.ts';

const insertText = `
  insert into usage_records (${namesOf(recordColumns)}) select * from ${unnest(recordColumns)}
  on conflict do nothing returning request`;

const lockText = `
  select ${namesOf(recordColumns)} from usage_records
  where (month, request) in (select * from unnest($1::date[], $2::uuid[])) and outcome = 'unsettled'
  order by month, request for update`;

const replaceText = `
  update usage_records old
  set ${recordColumns
    .slice(2)
    .map(([name]) => `${name} = new.${name}`)
    .join(', ')}
  from ${unnest(recordColumns)} as new (${namesOf(recordColumns)})
  where old.month = new.month and old.request = new.request`;

const rollupText = (unit: Unit) => {
  const table = unit === 'hour' ? 'usage_hourly' : 'usage_daily';
  const columns = rollupColumns(unit);
  return `
    insert into ${table} (${namesOf(columns)}) select * from ${unnest(columns)}
    on conflict (${namesOf([...columns.slice(0, 1), ...rollupKeys])})
    do update set ${rollupSums.map(([name]) => `${name} = ${table}.${name} + excluded.${name}`).join(', ')}`;
};

/** Also of other constraints, and then it does no harm. */
const noPartition = '23514';

export const createPostgresStore = (pool: pg.Pool): UsageStore => {
  const opened = new Set<string>();
  const usesOf = createKeyUses();
  /** On a connection of its own, before the batch: making a partition locks the whole table until its transaction ends. */
  const openMonths = async (months: readonly string[]) => {
    for (const month of months) {
      if (!opened.has(month)) {
        await pool.query('select open_month($1)', [month]);
        opened.add(month);
      }
    }
  };
  return {
    async transaction(months, work) {
      await openMonths(months);
      try {
        let uses: KeyUses | undefined;
        const result = await transactionOn(pool)(client => {
          uses = usesOf(client);
          return work(createTransaction(client, uses));
        });
        uses?.committed();
        return result;
      } catch (error) {
        // A month that was dropped meanwhile: the repetition opens it again.
        if ((error as {code?: string}).code === noPartition) {
          opened.clear();
        }
        throw error;
      }
    },
    async query(query, limit) {
      const {text, values} = queryStatement(query, limit);
      const read = async (client: pg.PoolClient) => {
        const {rows} = await client.query<RollupRow>(text, values);
        return rows.map(row => toRow(query, row));
      };
      return query.org === undefined ? transactionOn(pool)(read) : asTenant(pool)(query.org, read);
    },
    page: pageIn(pool),
    findTerms: findTermsIn(pool),
    record: (org, request) =>
      asTenant(pool)(org, async client => {
        const {rows} = await client.query(
          `select ${namesOf(recordColumns)} from usage_records where month = $1 and request = $2`,
          [monthOf(request), request],
        );
        return rows[0] && toRecord(rows[0]);
      }),
  };
};

const createTransaction = (client: pg.PoolClient, uses: KeyUses): UsageTransaction => ({
  async insert(records) {
    if (records.length === 0) {
      return [];
    }
    const {rows} = await client.query<{request: string}>({
      name: 'usage-insert',
      text: insertText,
      values: valuesOf(recordColumns, records),
    });
    const added = new Set(rows.map(row => row.request));
    return records.filter(record => added.has(record.request));
  },
  async replaceUnsettled(records) {
    if (records.length === 0) {
      return [];
    }
    const {rows} = await client.query({
      name: 'usage-lock',
      text: lockText,
      values: [records.map(record => record.month), records.map(record => record.request)],
    });
    const after = new Map(records.map(record => [record.request, record]));
    const replaced = rows
      .map(toRecord)
      .map(before => ({before, after: after.get(before.request) as UsageRecord}));
    if (replaced.length > 0) {
      await client.query({
        name: 'usage-replace',
        text: replaceText,
        values: valuesOf(
          recordColumns,
          replaced.map(pair => pair.after),
        ),
      });
    }
    return replaced;
  },
  async addRollups(unit, rollups) {
    if (rollups.length > 0) {
      await client.query({
        name: `usage-rollup-${unit}`,
        text: rollupText(unit),
        values: valuesOf(rollupColumns(unit), rollups),
      });
    }
  },
  noteUses: uses.note,
  bury: letters => insertDeadLetters(client, letters),
});
