/**
Verify: books as the real functions write them, for tests that then look for what is wrong with them.

In: the test. Out: a database with one window and lease, ways to let the budget and usage functions handle requests, and `verify`.
*/
import type {ExecutionContext} from 'ava';
import type pg from 'pg';
import type {Event} from '../../events/event.ts';
import {createMetrics} from '../../events/metrics.ts';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import type {LeaseRow, WindowRow} from '../../functions/budget/store.ts';
import {aggregate} from '../../functions/usage/aggregate.ts';
import {createPostgresStore} from '../../functions/usage/store-postgres.ts';
import {createLook} from '../../functions/usage/verify/look.ts';
import {parseWanted} from '../../functions/usage/verify/parameters.ts';
import {readAtOnce} from '../../functions/usage/verify/reading.ts';
import {createVerify} from '../../functions/usage/verify/verify.ts';
import {finished, lease, modelId, started, window} from './budget.ts';
import {postgresHarness} from './budget-store.ts';

export const hold = 10_000;

export type Account = Readonly<{window: WindowRow; lease: LeaseRow}>;

export const makeAccount = (fields: Partial<WindowRow> = {}): Account => {
  const place = window({limit: 10n ** 12n, leased: 10n ** 9n, ...fields});
  return {window: place, lease: lease(place, {granted: 10n ** 9n})};
};

type Fields = Readonly<{
  /** When it began: two hours ago unless said. */
  atMs?: number;
  lengthMs?: number;
  endpoint?: string;
  amount?: number;
  /** Of another organisation than the usual one. */
  account?: Account;
}> &
  Readonly<Record<string, unknown>>;

export const makeBooks = async (t: ExecutionContext) => {
  const harness = await postgresHarness(t);
  const {pool, store} = harness;
  const usual = makeAccount();
  await harness.seed([usual.window], [usual.lease]);
  const debitBatch = debit({store});
  const aggregateBatch = aggregate({store: createPostgresStore(pool), metrics: createMetrics()});
  const verify = createVerify({
    look: createLook({pool}),
    readAtOnce: readAtOnce(pool),
    marginMs: 0,
  });
  /** Intent and result of one request. */
  const makeRequest = (fields: Fields = {}) => {
    const {account = usual, lengthMs = 2_345, amount = 5_000, ...rest} = fields;
    const {atMs = Date.now() - 7_200_000, ...others} = rest;
    const request = uuidv7(atMs);
    const use = {window: account.window, lease: account.lease.id, hold, amount};
    const {org} = account.window;
    const data = {...others, startedAt: new Date(atMs).toISOString()};
    const deadline = new Date(atMs + 600_000).toISOString();
    return {
      request,
      intent: started(request, [use], {...data, deadline}, org),
      result: finished(
        request,
        [use],
        {...data, finishedAt: new Date(atMs + lengthMs).toISOString()},
        org,
      ),
    };
  };
  const handle = async (events: readonly Event[]) => {
    await debitBatch(events);
    await aggregateBatch(events);
  };
  return {
    ...harness,
    makeRequest,
    debitBatch,
    aggregateBatch,
    handle,
    verify: (fields: Record<string, unknown> = {}) => verify(parseWanted(fields, Date.now())),
  };
};

/** What the functions sent to the log by the outbox, as events. */
export const sentOf = async (root: pg.Pool): Promise<Event[]> =>
  (
    await root.query(`select event from outbox where destination = 'log:sluice.usage' order by id`)
  ).rows.map(({event}) => event as Event);

export const registerEndpoint = (root: pg.Pool, url: string, upstreamModel: string) =>
  root.query(
    `insert into endpoints (id, model_id, url, upstream_model) values (gen_random_uuid(), $1, $2, $3)`,
    [modelId, url, upstreamModel],
  );
