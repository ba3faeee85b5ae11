/**
Outbox watch: how much waits in the outbox, and whether PostgreSQL answers at all.

In: a pool, how many events this process has put into the outbox. Out: what waits, with what was added since it was last looked
at; for how long PostgreSQL has not answered. Looks every few seconds, jittered; soon again while something speaks for trouble
(events go to the outbox instead of Kafka, changes are not read, an append failed) or while a tenth of the bound was added, so
that neither the bound nor an outage is found late.
*/
import type {Queryable} from '../../../events/database.ts';
import {withDeadline} from '../deadline.ts';
import type {Backlog} from '../observe/degradation.ts';

export type OutboxWatch = ReturnType<typeof watchOutbox>;

export const watchOutbox = ({
  pool,
  addedEvents,
  isSuspicious,
  rowsMax,
  regularMs,
  answerMs = 2_000,
  tickMs = 250,
  onAway = () => {},
  nowMs = () => performance.now(),
  random = Math.random,
}: {
  pool: Queryable;
  /** All that this process has ever put into the outbox. */
  addedEvents: () => number;
  isSuspicious: () => boolean;
  /** The bound; what waits may be known less exactly by a tenth of it. */
  rowsMax: number;
  regularMs: number;
  /** Without an answer for so long, PostgreSQL is away. */
  answerMs?: number;
  tickMs?: number;
  onAway?: (error: Error) => void;
  nowMs?: () => number;
  random?: () => number;
}) => {
  let found: Backlog = {rows: 0, ageMs: 0};
  let addedBefore = addedEvents();
  let awaySinceMs: number | undefined;
  let looking: Promise<void> | undefined;
  let nextMs = Number.NEGATIVE_INFINITY;
  let suspected = false;

  const ask = async (before: number) => {
    const {rows} = await pool.query<{waiting: string; age_ms: string}>(
      `select waiting, age_ms from outbox_backlog('log')`,
    );
    found = {rows: Number(rows[0]?.waiting ?? 0), ageMs: Number(rows[0]?.age_ms ?? 0)};
    addedBefore = before;
    awaySinceMs = undefined;
  };

  const lookOnce = async () => {
    const askedMs = nowMs();
    nextMs = askedMs + regularMs * (0.5 + random());
    suspected = false;
    const failed = (error: Error) => {
      if (awaySinceMs === undefined) {
        awaySinceMs = askedMs;
        onAway(error);
      }
    };
    const asked = ask(addedEvents());
    withDeadline(asked, answerMs, 'PostgreSQL did not answer').catch(failed);
    // The next look begins when this one is over: a PostgreSQL that hangs is not sent more and more, and a late answer is one.
    await asked.catch(failed);
  };

  const look = (): Promise<void> => {
    looking ??= lookOnce().finally(() => {
      looking = undefined;
    });
    return looking;
  };

  const isDue = () =>
    suspected ||
    awaySinceMs !== undefined ||
    isSuspicious() ||
    addedEvents() - addedBefore > rowsMax / 10 ||
    nowMs() >= nextMs;

  const timer = setInterval(() => {
    if (isDue()) {
      void look();
    }
  }, tickMs);
  timer.unref();
  void look();

  return {
    backlog: (): Backlog => ({
      rows: found.rows + addedEvents() - addedBefore,
      ageMs: found.ageMs,
    }),
    awayMs: () => (awaySinceMs === undefined ? undefined : nowMs() - awaySinceMs),
    /** Something failed that PostgreSQL may have a part in. */
    suspect() {
      suspected = true;
    },
    look,
    close: () => clearInterval(timer),
  };
};
