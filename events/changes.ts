/**
Changes: how a change of a key, organisation, model, price or budget reaches a cache.

Reads the table `changes` above the last number every 250 ms, jittered, on a connection of its own; a NOTIFY only makes
that read early, because one can be lost. A gap in the numbers means rows were swept away before we read them: then
everything may have changed, and the reader says so. Whoever caches asks `staleSinceMs` how old its knowledge may be.
*/
import pg from 'pg';

export type Change = Readonly<{
  revision: number;
  /** `cut`: what runs for the subject, a key or an organisation, is to end. */
  kind: 'org' | 'project' | 'key' | 'budget' | 'model' | 'cut';
  subject: string;
  orgId: string | null;
}>;

/** `all` = forget everything; otherwise what changed, in order. */
export type OnChanges = (changes: readonly Change[] | 'all') => void;

/** What else its reader wants to know as often, told by the same statement: an SQL expression of the argument $2. */
export type Beside = Readonly<{
  expression: string;
  argument: string;
  onValue: (value: unknown) => void;
}>;

export const watchChanges = ({
  databaseUrl,
  onChanges,
  beside,
  onError = () => {},
  intervalMs = 250,
  queryTimeoutMs = 1_000,
  now = () => performance.now(),
  random = Math.random,
}: {
  databaseUrl: string;
  onChanges: OnChanges;
  beside?: Beside;
  onError?: (error: Error) => void;
  intervalMs?: number;
  queryTimeoutMs?: number;
  now?: () => number;
  random?: () => number;
}) => {
  let client: pg.Client | undefined;
  let last: number | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;
  let reading: Promise<void> | undefined;
  let again = false;
  let closed = false;

  const connect = async () => {
    const fresh = new pg.Client({
      connectionString: databaseUrl,
      application_name: 'sluice-changes',
      connectionTimeoutMillis: queryTimeoutMs,
      query_timeout: queryTimeoutMs,
      keepAlive: true,
    });
    fresh.on('error', error => {
      onError(error);
      // A connection that was given up before must not take its successor along.
      if (client === fresh) {
        disconnect();
      }
    });
    fresh.on('notification', () => void read());
    try {
      await fresh.connect();
    } catch (error) {
      fresh.end().catch(() => {});
      throw error;
    }
    client = fresh;
    return fresh;
  };

  const disconnect = () => {
    const old = client;
    client = undefined;
    old?.end().catch(() => {});
  };

  const readOnce = async () => {
    const asked = now();
    const fresh = client ? undefined : await connect();
    const reading = (client as pg.Client).query<{
      revision: string;
      kind: Change['kind'];
      subject: string;
      org_id: string | null;
      newest: string;
      beside: unknown;
    }>({
      name: 'changes',
      text: `select c.revision, c.kind, c.subject, c.org_id, r.value as newest, ${beside ? `(select ${beside.expression})` : 'null'} as beside
             from revision r left join changes c on c.revision > $1 order by c.revision limit 10000`,
      values: [last ?? Number.MAX_SAFE_INTEGER, ...(beside ? [beside.argument] : [])],
    });
    // Behind the first read, for which nobody then waits longer.
    fresh
      ?.query('listen sluice_changes')
      .then(read, error => client === fresh && fresh.emit('error', error));
    const {rows} = await reading;
    const newest = Number(rows[0]?.newest ?? 0);
    const found = rows.filter(row => row.revision !== null);
    const reached = Number(found.at(-1)?.revision ?? newest);
    // Told first, remembered then: what its receiver threw over is told again.
    if (last === undefined || newest < last || reached !== last + found.length) {
      onChanges('all');
      last = newest;
    } else if (found.length > 0) {
      onChanges(
        found.map(row => ({
          revision: Number(row.revision),
          kind: row.kind,
          subject: row.subject,
          orgId: row.org_id,
        })),
      );
      last = reached;
      again ||= last < newest;
    }
    beside?.onValue(rows[0]?.beside);
    readAt = asked;
  };

  /** One read at a time; a wish during a read is kept, so that a NOTIFY never falls between two reads. */
  const read = (): Promise<void> => {
    if (closed) {
      return Promise.resolve();
    }
    if (reading) {
      again = true;
      return reading;
    }
    clearTimeout(timer);
    again = false;
    reading = readOnce()
      .catch(error => {
        onError(error as Error);
        disconnect();
      })
      .then(() => {
        reading = undefined;
        if (!closed) {
          timer = setTimeout(() => void read(), again ? 0 : intervalMs * (0.5 + random()));
        }
      });
    return reading;
  };

  return {
    /** The first read; resolves also when it failed, and goes on trying. */
    start: read,
    /** How long ago the last successful read was asked for; Infinity before the first. */
    staleSinceMs: () => now() - readAt,
    async close() {
      closed = true;
      clearTimeout(timer);
      await reading;
      clearTimeout(timer);
      disconnect();
    },
  };
};
