/**
Watch: looks at the window, the leases and the gateways every 100 ms, and keeps what it saw.

In: a superuser's URL. Out: samples; none while PostgreSQL is away. It looks at every gateway that somebody may still lease to or has
to fence: what promise 1 calls alive or not yet fenced.
*/
import {setTimeout as wait} from 'node:timers/promises';
import pg from 'pg';

/** How long this process did not get to do what was due: it shows how little of the processors a storm had. */
export type Lag = Readonly<{atMs: number; lagMs: number}>;

export type Sample = Readonly<{
  atMs: number;
  spent: bigint;
  leased: bigint;
  overage: bigint;
  gateways: number;
  /** Where the leased money was: each state's leases, what they had, what of it was open; what the outbox held. */
  leases: string;
}>;

const everyMs = 100;
const lagMs = 50;

const text = `
  select w.spent, w.leased, w.overage, (
    select count(*) from (
      select id from gateways where seen_at > now() - make_interval(secs => $2)
      union
      select gateway_id from leases where state <> 'fenced' and granted > settled + returned) g) as gateways, (
    select coalesce(string_agg(format('%s %s: %s, %s open', count, state, has, open), '; '), 'none') from (
      select state, count(*), round(sum(granted - settled - returned) / 1e9, 4) as has, round(sum(open) / 1e9, 4) as open
      from leases l where l.window_id = w.id and granted > settled + returned group by state order by state) s)
    || (select format('; outbox %s', count(*)) from outbox) as leases
  from windows w where w.budget_id = $1`;

export const startWatch = (url: string, {budget, ttlMs}: {budget: string; ttlMs: number}) => {
  const samples: Sample[] = [];
  const lags: Lag[] = [];
  let stopped = false;
  let due = performance.now() + lagMs;
  const timer = setInterval(() => {
    lags.push({atMs: Date.now(), lagMs: Math.max(performance.now() - due, 0)});
    due = performance.now() + lagMs;
  }, lagMs);
  const look = async () => {
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: 1_000,
      query_timeout: 3_000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      while (!stopped) {
        const {rows} = await client.query(text, [budget, ttlMs / 1_000]);
        const [row] = rows;
        if (row) {
          samples.push({
            atMs: Date.now(),
            spent: BigInt(row.spent),
            leased: BigInt(row.leased),
            overage: BigInt(row.overage),
            gateways: Number(row.gateways),
            leases: row.leases,
          });
        }
        await wait(everyMs);
      }
    } finally {
      await client.end().catch(() => {});
    }
  };
  const run = async () => {
    while (!stopped) {
      await look().catch(() => wait(everyMs));
    }
  };
  const running = run();
  return {
    samples: samples as readonly Sample[],
    lags: lags as readonly Lag[],
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
};

export type Watch = ReturnType<typeof startWatch>;
