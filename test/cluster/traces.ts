/**
Traces: the rows of a victim in the tables that say what belongs to whom and what it cost.

In: the shared installation, the victim. Out: its rows by table, once nothing is on its way. What others do meanwhile is in none of them.
*/
import assert from 'node:assert/strict';
import {eventually} from '../helpers/eventually.ts';
import type {Installation} from '../helpers/installation.ts';
import type {Victim} from '../helpers/outsider-events.ts';
import {dumpTablesBy, type Tables, valuable} from '../helpers/outsider-tables.ts';

const minutes = 60_000;

export const asSuperuser = async <Result>(
  {pool}: Installation,
  work: (client: Parameters<typeof dumpTablesBy>[0]) => Promise<Result>,
): Promise<Result> => {
  const client = await pool('superuser').connect();
  try {
    return await work(client);
  } finally {
    client.release();
  }
};

/** Nothing is on its way to a Broker or into the log; what a Broker took it has delivered, for it answers after its subscribers. */
const untilSent = (installation: Installation) =>
  eventually(
    async () => {
      const {rows} = await installation
        .pool('superuser')
        .query<{waiting: number}>('select count(*)::integer as waiting from outbox');
      assert.equal(rows[0]?.waiting, 0);
    },
    {timeoutMs: 10 * minutes, intervalMs: 250},
  );

/** What the schemas' examples name: a forged event that was believed would leave it. */
const exampleIds = '0192f0c1-7a00-7000-8000-';

/** Rows that name the victim or an example. Others are of others: the installation is shared. */
export const readTraces = async (installation: Installation, victim: Victim): Promise<Tables> => {
  await untilSent(installation);
  const tables = await asSuperuser(installation, dumpTablesBy);
  const names = [
    exampleIds,
    victim.org,
    victim.project,
    ...Object.values(victim.requests),
    ...['key', 'budget', 'window', 'lease', 'modelId', 'endpoint'].map(name =>
      String(victim.ids[name]?.at(-1)),
    ),
  ];
  return new Map(
    valuable.map(table => [
      table,
      (tables.get(`public.${table}`) ?? []).filter(line => names.some(name => line.includes(name))),
    ]),
  );
};
