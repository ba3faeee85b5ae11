/**
Ledger: shows what was charged, for a request or an organisation, newest first.
*/
import type {Router} from 'express';
import {
  cursorPatterns,
  instantOfMicros,
  microsOf,
  readCursor,
  writeCursor,
} from '../../../events/cursor.ts';
import {SluiceError} from '../../../events/errors.ts';
import {formatUsd} from '../../../events/money.ts';
import {monthOf} from '../../../events/uuid.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {toInstant} from '../api/instants.ts';
import type {Tenancy} from '../api/tenancy.ts';
import {formatAmount, type Unit} from './amount.ts';

type LedgerQuery = Readonly<{
  request?: string;
  org?: string;
  from?: string;
  to?: string;
  after?: string;
  limit: number;
}>;
const amounts = ['hold', 'amount', 'covered', 'overage'] as const;
type Charge = {unit: Unit} & Record<string, string | null> &
  Partial<Record<(typeof amounts)[number], string>>;
export type LedgerRow = {
  request: string;
  entry: string;
  org_id: string;
  project_id: string;
  key_id: string;
  model: string;
  environment: string;
  price_version: number;
  at: Date;
  settled_at: Date;
  input_tokens: bigint;
  cached_input_tokens: bigint;
  output_tokens: bigint;
  cost_nanos: bigint;
  estimated: boolean;
  outcome: string;
  charges: Charge[];
};
type Row = LedgerRow & {micros: string; settled_micros: string};

export const ledgerColumns = `
  request, entry, org_id, project_id, key_id, model, environment, price_version, at, settled_at, input_tokens,
  cached_input_tokens, output_tokens, cost_nanos, estimated, outcome, charges`;

const text = `
  select ${ledgerColumns}, ${microsOf('at')} as micros, ${microsOf('settled_at')} as settled_micros
  from ledger
  where org_id = $1 and ($2::date is null or (month = $2 and request = $3))
    and ($4::timestamptz is null or at >= $4) and ($5::timestamptz is null or at < $5)
    and ($7::bigint is null or (at, request, settled_at, entry) < (${instantOfMicros('$7')}, $8::uuid, ${instantOfMicros('$9')}, $10::text))
  order by at desc, request desc, settled_at desc, entry desc limit $6`;
const place = [cursorPatterns.micros, cursorPatterns.id, cursorPatterns.micros, /^[a-z]{1,20}$/];

export const ledgerRoutes = ({contract, tenancy}: Dependencies) =>
  function addLedgerRoutes(router: Router) {
    router.get('/admin/v1/ledger', async (request, response) => {
      const query = contract.query<LedgerQuery>('listLedger', request.query);
      const rows = await read(tenancy(request), query);
      const last = rows[query.limit - 1];
      response.json({
        data: rows.slice(0, query.limit).map(toLedgerView),
        ...(last && rows.length > query.limit
          ? {next: writeCursor([last.micros, last.request, last.settled_micros, last.entry])}
          : {}),
      });
    });

    const read = async (
      tenant: Tenancy,
      {request, org, from, to, after, limit}: LedgerQuery,
    ): Promise<Row[]> => {
      const month = request === undefined ? undefined : monthOfRequest(request);
      const start = from === undefined ? undefined : toInstant(from, 'from');
      const end = to === undefined ? undefined : toInstant(to, 'to');
      if (start && end && start > end) {
        throw new SluiceError('bad_request', 'from: expected an instant that is not after to', {
          parameter: 'from',
        });
      }
      const owner = org ?? (request === undefined ? refuse() : await tenant.orgOfRequest(request));
      if (owner === undefined) {
        return [];
      }
      const behind = after === undefined ? [null, null, null, null] : readCursor(after, place);
      const values = [owner, month, request, start, end, limit + 1, ...behind];
      const {rows} = await tenant.owning('org', owner, client => client.query<Row>(text, values));
      return rows;
    };
  };

const refuse = (): never => {
  throw new SluiceError('bad_request', 'expected request, org or both', {parameter: 'request'});
};

/** The ledger is divided by the month that a request's id carries, so an id without a time was never charged for. */
const monthOfRequest = (request: string): string => {
  const month = monthOf(request);
  if (month === undefined || month.length > 10) {
    throw new SluiceError('bad_request', 'request: expected an id as x-request-id shows it', {
      parameter: 'request',
    });
  }
  return month;
};

export const toLedgerView = (row: LedgerRow) => ({
  request: row.request,
  entry: row.entry,
  org: row.org_id,
  project: row.project_id,
  key: row.key_id,
  model: row.model,
  environment: row.environment,
  priceVersion: row.price_version,
  at: row.at,
  settledAt: row.settled_at,
  inputTokens: Number(row.input_tokens),
  cachedInputTokens: Number(row.cached_input_tokens),
  outputTokens: Number(row.output_tokens),
  cost: formatUsd(row.cost_nanos),
  estimated: row.estimated,
  outcome: row.outcome,
  charges: row.charges.map(toChargeView),
});

const toChargeView = (charge: Charge) => ({
  ...charge,
  ...Object.fromEntries(
    amounts
      .filter(name => charge[name] !== undefined)
      .map(name => [name, formatAmount(charge.unit, BigInt(charge[name] as string))]),
  ),
});
