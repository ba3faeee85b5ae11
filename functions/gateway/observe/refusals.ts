/**
Refusals: keeps for a day why a request of a known key was refused, so that an operator can look it up by its id.

In: refusals as they happen. Out: rows, one insert a second at most, never on a request's way. It explains and proves nothing, so
there are bounds: the first few of a key and of this process in each second. What is over them, or what PostgreSQL does not take at
once, is not kept; it is counted, and the log has its line.
*/
import type {Queryable} from '../../../events/database.ts';
import type {SluiceError} from '../../../events/errors.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {Logger} from '../../../events/telemetry.ts';
import type {Principal} from '../../auth/principal.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import type {OperationName} from '../admission/operation.ts';
import {withDeadline} from '../deadline.ts';

/** What is known of a request so far. Filled in on its way; nothing in it is a client's text. */
export type Known = {
  principal?: Principal;
  operation?: OperationName;
  model?: ModelEntry;
  streamed?: boolean;
  trace?: string;
};

export type Refused = Readonly<{
  request: string;
  known: Known;
  error: SluiceError;
  durationMs: number;
}>;

type Row = Readonly<Record<string, string | number | boolean | null>>;

const insertText = `
  insert into refusals (request, org_id, project_id, key_id, gateway_id, environment, model, operation, streamed, status, code,
                        parameter, reason, retry_after_seconds, trace, duration_ms, at)
  select request, org_id, project_id, key_id, $2, environment, model, operation, streamed, status, code, parameter, reason,
         retry_after_seconds, trace, duration_ms, at
  from jsonb_to_recordset($1) as r (request uuid, org_id uuid, project_id uuid, key_id uuid, environment text, model text,
    operation text, streamed boolean, status integer, code text, parameter text, reason text, retry_after_seconds integer, trace text,
    duration_ms integer, at timestamptz)
  on conflict do nothing`;

export const createRefusals = ({
  pool,
  gatewayId = 'one',
  metrics,
  logger,
  flushMs = 1_000,
  insertMs = 2_000,
  keyMax = 5,
  flushMax = 50,
  now = () => new Date(),
}: {
  pool: Queryable;
  gatewayId?: string;
  metrics: Metrics;
  logger: Pick<Logger, 'warn'>;
  flushMs?: number;
  insertMs?: number;
  /** Of one key, between two inserts. */
  keyMax?: number;
  /** Of all. */
  flushMax?: number;
  now?: () => Date;
}) => {
  const counter = metrics.counter(
    'sluice_refusals_total',
    'Refused requests of known keys, by whether it is kept why: kept, over the bound, or PostgreSQL did not take it.',
  );
  const counts = {
    kept: counter({what: 'kept'}),
    over: counter({what: 'over'}),
    away: counter({what: 'away'}),
  };
  let rows: Row[] = [];
  let byKey = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  const flush = async () => {
    clearTimeout(timer);
    timer = undefined;
    const batch = rows;
    rows = [];
    byKey = new Map();
    if (batch.length === 0) {
      return;
    }
    try {
      const inserted = pool.query(insertText, [JSON.stringify(batch), gatewayId]);
      await withDeadline(inserted, insertMs, 'PostgreSQL did not take them in time');
      counts.kept.add(batch.length);
    } catch (error) {
      counts.away.add(batch.length);
      logger.warn({err: error, refusals: batch.length}, 'why requests were refused was not kept');
    }
  };

  const schedule = () => {
    timer ??= setTimeout(() => {
      // While one insert hangs the next waits, and what is over the bound meanwhile is not kept.
      writing ??= flush().finally(() => {
        writing = undefined;
        if (rows.length > 0) {
          schedule();
        }
      });
    }, flushMs);
    timer.unref();
  };

  return {
    note({request, known, error, durationMs}: Refused) {
      const {principal, operation, model} = known;
      if (!principal || !operation) {
        return;
      }
      const count = byKey.get(principal.key) ?? 0;
      if (count >= keyMax || rows.length >= flushMax) {
        counts.over.add();
        return;
      }
      byKey.set(principal.key, count + 1);
      rows.push({
        request,
        org_id: principal.org,
        project_id: principal.project,
        key_id: principal.key,
        environment: model?.environment ?? null,
        model: model?.name ?? null,
        operation,
        streamed: known.streamed ?? null,
        status: error.status,
        code: error.code,
        parameter: error.parameter?.slice(0, 64) ?? null,
        reason: error.message.slice(0, 500),
        retry_after_seconds: error.retryAfterSeconds ?? null,
        trace: known.trace ?? null,
        duration_ms: durationMs,
        at: now().toISOString(),
      });
      schedule();
    },
    async close() {
      await writing;
      await flush();
    },
  };
};

export type Refusals = ReturnType<typeof createRefusals>;
