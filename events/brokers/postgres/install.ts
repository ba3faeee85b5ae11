/**
Set-up of the PostgreSQL broker: pg-boss's schema, made or updated by its owner, and what `sluice_system` may do in it.
*/
import {PgBoss} from 'pg-boss';

export const schema = 'pgboss';

/**
Makes or updates pg-boss's schema as its owner and admits `sluice_system`. Run at set-up, after the migrations.
Every job leaves two dead rows in a table that stays small, so vacuum counts rows there and not shares.
*/
export const installPostgresBroker = async ({
  databaseUrl,
}: {
  databaseUrl: string;
}): Promise<void> => {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    schema,
    max: 2,
    supervise: false,
    schedule: false,
  });
  const faults: Error[] = [];
  boss.on('error', error => faults.push(error));
  await boss.start();
  try {
    await boss.getDb().executeSql(`
      grant usage on schema ${schema} to sluice_system;
      grant select, insert, update, delete on all tables in schema ${schema} to sluice_system;
      alter table ${schema}.job_common set (
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_cost_delay = 0);`);
  } finally {
    await boss.stop({graceful: false});
  }
  if (faults[0]) {
    throw faults[0];
  }
};
