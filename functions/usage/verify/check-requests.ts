/**
Check requests: ledger against usage records, request by request; and the records against their own sums an hour and a day.

In: one snapshot, a range. Out: findings, and how much was compared. PostgreSQL finds what is not equal (a merge of two primary
keys, month by month); only that comes here to be judged. What differs is also summed by organisation, model and hour.
*/
import {formatUsd} from '../../../events/money.ts';
import type {Findings} from './finding.ts';
import {
  type Amounts,
  difference,
  judgePair,
  judgeSum,
  type Pair,
  type Side,
  type Sum,
} from './judge-books.ts';
import {stretchesOf} from './range.ts';
import type {Reading, Row} from './reading.ts';

export type Group = Amounts &
  Readonly<{org: string; model: string; from: string; requests: bigint}>;
export type Compared = Readonly<{
  ledger: Sum;
  records: Sum;
  late: number;
  /** Begun and not settled yet. */
  open: number;
  /** Ledger less records of what differs, the first of them. */
  differences: readonly Group[];
}>;

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const groupsMax = 10_000;

const inStretch = 'month = $1 and request >= $2 and request < $3';
const hour = `to_char(date_trunc('hour', min(at) at time zone 'UTC'), 'YYYY-MM-DD"T"HH24":00:00.000Z"')`;
const ledgerSides = `
  select request, (array_agg(org_id order by entry))[1] as org, (array_agg(model order by entry))[1] as model, ${hour} as hour,
    sum(input_tokens) as input, sum(cached_input_tokens) as cached, sum(output_tokens) as output, sum(cost_nanos) as cost,
    extract(epoch from max(settled_at)) * 1000 as known
  from ledger where ${inStretch} group by request`;
const recordSides = `
  select request, org_id as org, model, ${hour.replace('min(at)', 'at')} as hour,
    input_tokens as input, cached_input_tokens as cached, output_tokens as output, cost_nanos as cost,
    extract(epoch from finished_at) * 1000 as known
  from usage_records where ${inStretch}`;
const columns = ['org', 'model', 'hour', 'input', 'cached', 'output', 'cost', 'known'];
const unequal = `
  select request, ${columns.map(name => `l.${name} as l_${name}, r.${name} as r_${name}`).join(', ')}
  from (${ledgerSides}) l full join (${recordSides}) r using (request)
  where (l.org, l.model, l.input, l.cached, l.output, l.cost)
    is distinct from (r.org, r.model, r.input, r.cached, r.output, r.cost)`;

const totals = (table: string) => `
  select count(distinct request) as requests, coalesce(sum(input_tokens), 0) as input,
    coalesce(sum(cached_input_tokens), 0) as cached, coalesce(sum(output_tokens), 0) as output,
    coalesce(sum(cost_nanos), 0) as cost
  from ${table} where ${inStretch}`;

const big = (value: unknown) => BigInt(String(value ?? 0));
const amountsOf = (row: Row, prefix: string): Amounts => ({
  inputTokens: big(row[`${prefix}input`]),
  cachedInputTokens: big(row[`${prefix}cached`]),
  outputTokens: big(row[`${prefix}output`]),
  costNanos: big(row[`${prefix}cost`]),
});
const sumOf = (row: Row, prefix = ''): Sum => ({
  requests: big(row[`${prefix}requests`]),
  ...amountsOf(row, prefix),
});
const added = (a: Sum, b: Sum): Sum => ({
  requests: a.requests + b.requests,
  inputTokens: a.inputTokens + b.inputTokens,
  cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  costNanos: a.costNanos + b.costNanos,
});
const noSum = sumOf({});

const sideOf = (row: Row, prefix: 'l_' | 'r_'): Side | undefined =>
  row[`${prefix}org`] === null
    ? undefined
    : {
        ...amountsOf(row, prefix),
        org: String(row[`${prefix}org`]),
        model: String(row[`${prefix}model`]),
        hour: String(row[`${prefix}hour`]),
        atMs: Number(row[`${prefix}known`]),
      };

const pairOf = (row: Row): Pair => {
  const ledger = sideOf(row, 'l_');
  const record = sideOf(row, 'r_');
  return {request: String(row.request), ...(ledger ? {ledger} : {}), ...(record ? {record} : {})};
};

type Range = Readonly<{fromMs: number; toMs: number; graceMs: number; nowMs: number}>;

export const checkRequests = async (
  reading: Reading,
  range: Range,
  findings: Findings,
): Promise<Compared> => {
  const groups = new Map<string, Group>();
  let late = 0;
  let ledger = noSum;
  let records = noSum;
  const take = (row: Row) => {
    const pair = pairOf(row);
    const finding = judgePair(pair, range);
    if (finding === 'late') {
      late += 1;
    } else if (finding) {
      findings.add(finding);
      addToGroup(groups, pair);
    }
  };
  for (const {month, firstId, endId} of stretchesOf(range.fromMs, range.toMs)) {
    const values = [month, firstId, endId];
    await reading.each(unequal, values, take);
    ledger = added(ledger, sumOf((await reading.rows(totals('ledger'), values))[0] as Row));
    records = added(
      records,
      sumOf((await reading.rows(totals('usage_records'), values))[0] as Row),
    );
  }
  const [open] = await reading.rows('select count(*)::int as open from requests', []);
  return {ledger, records, late, open: Number(open?.open), differences: [...groups.values()]};
};

const addToGroup = (groups: Map<string, Group>, {ledger, record}: Pair) => {
  const {org, model, hour: from} = (ledger ?? record) as Side;
  const key = JSON.stringify([org, model, from]);
  const before = groups.get(key);
  if (before || groups.size < groupsMax) {
    const found = difference(ledger, record) ?? noSum;
    const sum = added(before ?? noSum, {...found, requests: 1n});
    groups.set(key, {org, model, from, ...sum});
  }
};

/** What a rollup has for the hours or days of a range, beside what it was summed from. */
const sumsText = (parts: Readonly<{from: string; of: string; rollup: string; where: string}>) => `
  select coalesce(r.org, s.org) as org, coalesce(r.model, s.model) as model, coalesce(r.start, s.start) as start,
    ${['requests', 'input', 'cached', 'output', 'cost'].map(name => `coalesce(r.${name}, 0) as r_${name}, coalesce(s.${name}, 0) as s_${name}`).join(', ')}
  from (${parts.of}) r full join (
    select org_id as org, model, environment, ${parts.from} as start, ${rollupSums}
    from ${parts.rollup} where ${parts.where} group by 1, 2, 3, 4) s
    on r.org = s.org and r.model = s.model and r.environment = s.environment and r.start = s.start
  where (coalesce(r.requests, 0), coalesce(r.input, 0), coalesce(r.cached, 0), coalesce(r.output, 0), coalesce(r.cost, 0))
    is distinct from
    (coalesce(s.requests, 0), coalesce(s.input, 0), coalesce(s.cached, 0), coalesce(s.output, 0), coalesce(s.cost, 0))`;

const tokenSums =
  'sum(input_tokens) as input, sum(cached_input_tokens) as cached, sum(output_tokens) as output, sum(cost_nanos) as cost';
const rollupSums = `sum(requests) as requests, ${tokenSums}`;
const hourText = (column: string) =>
  `to_char(date_trunc('hour', ${column} at time zone 'UTC'), 'YYYY-MM-DD"T"HH24":00:00.000Z"')`;
const dayText = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD')`;

const hourly = sumsText({
  of: `select org_id as org, model, environment, ${hourText('at')} as start, count(*)::numeric as requests, ${tokenSums}
       from usage_records where at >= $1 and at < $2 group by 1, 2, 3, 4`,
  from: hourText('hour'),
  rollup: 'usage_hourly',
  where: 'hour >= $1 and hour < $2',
});
const daily = sumsText({
  of: `select org_id as org, model, environment, ${dayText('hour')} as start, ${rollupSums}
       from usage_hourly where hour >= $1 and hour < $2 group by 1, 2, 3, 4`,
  from: `to_char(day, 'YYYY-MM-DD')`,
  rollup: 'usage_daily',
  where: `day >= ($1::timestamptz at time zone 'UTC')::date and day < ($2::timestamptz at time zone 'UTC')::date`,
});

/** Records are found by their instant here and not by their id, because an id from elsewhere may be of another time. */
export const checkSums = async (
  reading: Reading,
  {fromMs, toMs}: Pick<Range, 'fromMs' | 'toMs'>,
  findings: Findings,
) => {
  for (const [unit, text, stepMs] of [
    ['hour', hourly, hourMs],
    ['day', daily, dayMs],
  ] as const) {
    const bounds = [
      new Date(Math.floor(fromMs / stepMs) * stepMs).toISOString(),
      new Date(Math.ceil(toMs / stepMs) * stepMs).toISOString(),
    ];
    await reading.each(text, bounds, row => {
      const finding = judgeSum({
        unit,
        org: String(row.org),
        model: String(row.model),
        from: String(row.start),
        records: sumOf(row, 'r_'),
        rollup: sumOf(row, 's_'),
      });
      if (finding) {
        findings.add(finding);
      }
    });
  }
};

export const describeGroup = ({costNanos, ...group}: Group) => ({
  ...group,
  requests: Number(group.requests),
  inputTokens: Number(group.inputTokens),
  cachedInputTokens: Number(group.cachedInputTokens),
  outputTokens: Number(group.outputTokens),
  cost: formatUsd(costNanos),
});
