/**
What the ledger has of the requests of a batch. In: their ids and months. Out: who is settled for good; and whole, who was
settled only by policy, because a late result is corrected against it.
*/
import type {Queryable} from '../../events/database.ts';
import {monthOf} from '../../events/uuid.ts';
import type {Unit} from './cost.ts';
import type {Charge, Keys, LedgerEntry, Settlement} from './store.ts';

type LedgerColumns = {
  month: string;
  request: string;
  entry: LedgerEntry['entry'];
  org_id: string;
  project_id: string;
  key_id: string;
  model: string;
  model_id: string;
  environment: LedgerEntry['environment'];
  price_version: number;
  at: Date;
  input_tokens: bigint;
  cached_input_tokens: bigint;
  output_tokens: bigint;
  cost_nanos: bigint;
  estimated: boolean;
  outcome: string;
  traceparent: string | null;
  charges: Record<string, string>[];
};

/** Month and id both, so that only the partitions of these months are looked at. */
export const loadSettlements = async (
  client: Queryable,
  keys: Keys,
  /** Those that the batch settles without naming them. */
  others: readonly string[],
) => {
  const ids = [...new Set([...keys.requests, ...others])];
  const months = [...new Set([...keys.months, ...others.map(id => monthOf(id) as string)])];
  const found = new Map<string, Settlement>();
  if (ids.length === 0) {
    return found;
  }
  const {rows} = await client.query<{request: string; unsettled: boolean}>({
    name: 'budget-settlements',
    text: `select request, bool_and(entry = 'unsettled') as unsettled from ledger
           where month = any($1::date[]) and request = any($2::uuid[]) and entry <> 'external' group by request`,
    values: [months, ids],
  });
  for (const {request} of rows) {
    found.set(request, {final: true});
  }
  const unsettled = rows.filter(row => row.unsettled).map(row => row.request);
  if (unsettled.length > 0) {
    const whole = await client.query<LedgerColumns>({
      name: 'budget-unsettled',
      text: `select * from ledger where month = any($1::date[]) and request = any($2::uuid[]) and entry = 'unsettled'`,
      values: [months, unsettled],
    });
    for (const row of whole.rows) {
      found.set(row.request, {final: false, unsettled: toEntry(row)});
    }
  }
  return found;
};

const toEntry = (row: LedgerColumns): LedgerEntry => ({
  month: row.month,
  request: row.request,
  entry: row.entry,
  org: row.org_id,
  project: row.project_id,
  key: row.key_id,
  model: row.model,
  modelId: row.model_id,
  environment: row.environment,
  priceVersion: row.price_version,
  at: row.at.toISOString(),
  inputTokens: Number(row.input_tokens),
  cachedInputTokens: Number(row.cached_input_tokens),
  outputTokens: Number(row.output_tokens),
  costNanos: Number(row.cost_nanos),
  estimated: row.estimated,
  outcome: row.outcome,
  ...(row.traceparent === null ? {} : {traceparent: row.traceparent}),
  charges: row.charges.map(toCharge),
});

const toCharge = (charge: Record<string, string>): Charge => ({
  budget: charge.budget as string,
  window: charge.window as string,
  lease: charge.lease as string,
  unit: charge.unit as Unit,
  hold: BigInt(charge.hold as string),
  amount: BigInt(charge.amount as string),
  covered: BigInt(charge.covered as string),
  overage: BigInt(charge.overage as string),
});
