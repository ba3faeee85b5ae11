/**
Check engines: what the ledger charged against what the model servers counted themselves.

In: one snapshot, a range. Out: findings, and how many spans were compared. A request belongs to the endpoint of its usage record and
costs what the ledger says. Its time is widened by a margin on both sides, for the clocks of gateways and servers.
Usage of other routers ran on none of our servers and is left out.
*/
import type {Findings} from './finding.ts';
import {allowanceOf, type Charged, judgeEngine} from './judge-engine.ts';
import {stretchesOf} from './range.ts';
import type {Reading, Row} from './reading.ts';
import {type Snapshot, type Span, toSpans} from './spans.ts';

type Engine = Readonly<{
  endpoint: string;
  upstreamModel: string;
  models: readonly string[];
  names: string;
  contextLength: number;
  spans: readonly Span[];
}>;
/** Charges of one engine that began and ended between the same looks. 0 is before the first look. */
type Charge = Readonly<{
  engine: number;
  first: number;
  last: number;
  reported: boolean;
  uncertain: bigint;
  input: bigint;
  output: bigint;
}>;

/** A request runs for at most ten minutes, and its id is a little older than it. */
const longestMs = 1_800_000;
/** For a model that does not say how much it takes. */
const contextLengthMax = 131_072;

const enginesText = `
  select e.url as endpoint, e.upstream_model, array_agg(m.id) as models,
    string_agg(distinct m.name, ', ') as names, max(coalesce(m.context_length, ${contextLengthMax})) as context
  from endpoints e join models m on m.id = e.model_id group by 1, 2 order by 1, 2`;

/** The last look before the range counts too, when it is not much older. */
const looksText = `
  select endpoint, upstream_model, (extract(epoch from taken_at) * 1000)::float8 as taken,
    prompt_tokens, generation_tokens, instance
  from engine_counters where taken_at >= $1::timestamptz - interval '1 hour' and taken_at <= $2
  order by endpoint, upstream_model, taken_at`;

const looksOf = async (reading: Reading, bounds: readonly string[]) => {
  const looks = new Map<string, Snapshot[]>();
  await reading.each(looksText, bounds, row => {
    const key = `${row.endpoint} ${row.upstream_model}`;
    const list = looks.get(key) ?? [];
    looks.set(key, list);
    list.push({
      atMs: Number(row.taken),
      promptTokens: BigInt(String(row.prompt_tokens)),
      generationTokens: BigInt(String(row.generation_tokens)),
      instance: String(row.instance),
    });
  });
  return looks;
};

const enginesOf = async (reading: Reading, bounds: readonly string[]): Promise<Engine[]> => {
  const looks = await looksOf(reading, bounds);
  return (await reading.rows(enginesText, [])).map(row => ({
    endpoint: String(row.endpoint),
    upstreamModel: String(row.upstream_model),
    models: row.models as string[],
    names: String(row.names),
    contextLength: Number(row.context),
    spans: toSpans(looks.get(`${row.endpoint} ${row.upstream_model}`) ?? []),
  }));
};

const boundsText = `
  with engines as (
    select * from jsonb_to_recordset($1) as e (engine int, endpoint text, model uuid, bounds float8[]))`;
const bucket = (instant: string) =>
  `width_bucket((extract(epoch from ${instant}) * 1000)::float8, e.bounds)`;

const chargesText = `${boundsText}
  select e.engine, ${bucket(`r.at - $2 * interval '1 ms'`)} as first,
    ${bucket(`r.finished_at + $2 * interval '1 ms'`)} as last, not r.estimated as reported,
    count(*) filter (where r.estimated or r.outcome <> 'completed') as uncertain,
    sum(l.input) as input, sum(l.output) as output
  from usage_records r
  join engines e on e.endpoint = r.endpoint and e.model = r.model_id
  join (select request, sum(input_tokens) as input, sum(output_tokens) as output from ledger
        where month = $3 and request >= $4 and request < $5 and entry <> 'external' group by request) l
    on l.request = r.request
  where r.month = $3 and r.request >= $4 and r.request < $5
  group by 1, 2, 3, 4`;

/** Begun and not settled: what they cost nobody knows, nor when they end. */
const openText = `${boundsText}
  select e.engine, ${bucket(`(q.intent ->> 'startedAt')::timestamptz - $2 * interval '1 ms'`)} as first,
    cardinality(e.bounds) as last, false as reported, count(*) as uncertain, 0 as input, 0 as output
  from requests q join engines e on e.endpoint = q.intent ->> 'endpoint' and e.model = (q.intent ->> 'modelId')::uuid
  group by 1, 2, 3, 4`;

const chargeOf = (row: Row): Charge => ({
  engine: Number(row.engine),
  first: Number(row.first),
  last: Number(row.last),
  reported: row.reported === true,
  uncertain: BigInt(String(row.uncertain)),
  input: BigInt(String(row.input)),
  output: BigInt(String(row.output)),
});

const chargesOf = async (
  reading: Reading,
  engines: readonly Engine[],
  marginMs: number,
): Promise<Charge[]> => {
  const measured = engines.flatMap(({spans, endpoint, models}, engine) =>
    spans.length === 0
      ? []
      : models.map(model => ({
          engine,
          endpoint,
          model,
          bounds: [spans[0]?.fromMs as number, ...spans.map(({toMs}) => toMs)],
        })),
  );
  if (measured.length === 0) {
    return [];
  }
  const ends = measured.flatMap(({bounds}) => [bounds[0] as number, bounds.at(-1) as number]);
  const shared = [JSON.stringify(measured), marginMs];
  const charges = (await reading.rows(openText, shared)).map(chargeOf);
  for (const {month, firstId, endId} of stretchesOf(
    Math.min(...ends) - longestMs,
    Math.max(...ends) + longestMs,
  )) {
    const rows = await reading.rows(chargesText, [...shared, month, firstId, endId]);
    charges.push(...rows.map(chargeOf));
  }
  return charges;
};

/** `place` counts from 1: span 1 lies between the looks 0 and 1. */
const chargedIn = (charges: readonly Charge[], place: number): Charged => {
  let inside = {input: 0n, output: 0n};
  let overlapping = {input: 0n, output: 0n};
  let uncertain = 0n;
  for (const charge of charges) {
    if (charge.first > place || charge.last < place) {
      continue;
    }
    const add = (sum: typeof inside) => ({
      input: sum.input + charge.input,
      output: sum.output + charge.output,
    });
    overlapping = add(overlapping);
    uncertain += charge.uncertain;
    if (charge.reported && charge.first === place && charge.last === place) {
      inside = add(inside);
    }
  }
  return {inside, overlapping, uncertain};
};

export const checkEngines = async (
  reading: Reading,
  {fromMs, toMs, marginMs}: Readonly<{fromMs: number; toMs: number; marginMs: number}>,
  findings: Findings,
): Promise<number> => {
  const bounds = [new Date(fromMs).toISOString(), new Date(toMs).toISOString()];
  const engines = await enginesOf(reading, bounds);
  const charges = Map.groupBy(await chargesOf(reading, engines, marginMs), ({engine}) => engine);
  let compared = 0;
  for (const [index, engine] of engines.entries()) {
    const subject = {endpoint: engine.endpoint, model: engine.names};
    if (engine.spans.length === 0) {
      findings.add({
        check: 'engines',
        kind: 'looked-at-too-seldom',
        broken: false,
        subject: engine.endpoint,
        model: engine.names,
        values: {expected: 'two looks in the range'},
      });
    }
    for (const [before, span] of engine.spans.entries()) {
      const charged = chargedIn(charges.get(index) ?? [], before + 1);
      const finding = judgeEngine(subject, span, charged, allowanceOf(engine.contextLength));
      compared += 1;
      if (finding) {
        findings.add(finding);
      }
    }
  }
  return compared;
};
