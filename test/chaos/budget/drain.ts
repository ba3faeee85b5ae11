/**
Drain: waits after a storm until nothing is under way any more.

In: the world. Out: nothing, or what still was under way when the time was over: that is a broken promise too, because everybody is back.
*/
import {setTimeout as wait} from 'node:timers/promises';
import {connect} from './books.ts';
import {lagOf} from './log.ts';

const groups = ['budget', 'usage'];

const stateOf = async (url: string, brokers: readonly string[]): Promise<string[]> => {
  const client = await connect(url);
  try {
    const {rows} = await client.query(
      `select (select count(*) from requests)::int as "requests without a settlement",
        (select count(*) from outbox)::int as "rows in the outbox",
        (select coalesce(sum(leased), 0) from windows)::text::float8 as "leased",
        (select coalesce(sum(granted - settled - returned), 0) from leases)::text::float8 as "held by leases"`,
    );
    const lag = await lagOf(brokers, groups);
    return [...Object.entries(rows[0] as Record<string, number>), ['events unread', lag] as const]
      .filter(([, count]) => count !== 0)
      .map(([name, count]) => `${name}: ${count}`);
  } finally {
    await client.end();
  }
};

export const drain = async ({
  url,
  brokers,
  isQuiet,
  maxMs,
}: {
  url: string;
  brokers: readonly string[];
  /** Nothing is being delivered outside of what Kafka and PostgreSQL know. */
  isQuiet: () => boolean;
  maxMs: number;
}): Promise<string[]> => {
  const end = performance.now() + maxMs;
  let quiet = 0;
  for (;;) {
    const left = await stateOf(url, brokers).catch(error => [String(error)]);
    quiet = left.length === 0 && isQuiet() ? quiet + 1 : 0;
    if (quiet >= 3) {
      return [];
    }
    if (performance.now() > end) {
      return left.length > 0 ? left : ['duplicates that were not taken'];
    }
    await wait(250);
  }
};
