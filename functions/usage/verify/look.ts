/**
Look: reads the counters of every model server that is registered, and keeps them.

In: a pool, as sluice_system; a way to ask. Out: how many were asked and which did not tell. Bounded in time, bytes and requests at
once; a server that does not answer is told of and passed over. Looks older than 35 days are forgotten.
*/
import type pg from 'pg';
import {requestOnce} from '../../../events/request-once.ts';
import {type Counters, parseCounters} from './parse-counters.ts';

export type Target = Readonly<{endpoint: string; upstreamModel: string}>;
export type Looked = Readonly<{asked: number; silent: ReadonlyArray<Target & {reason: string}>}>;
/** The text of a URL, or why there is none. Never throws. */
export type ReadText = (url: string) => Promise<{text: string} | {failed: string}>;
type Told = Target & ({counters: Counters; atMs: number} | {reason: string});

const targetsMax = 10_000;

export const createReadText = ({
  timeoutMs = 3_000,
  bytesMax = 8 * 1024 * 1024,
}: {
  timeoutMs?: number;
  bytesMax?: number;
} = {}): ReadText =>
  async function readText(url) {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const response = await requestOnce(url, {signal, headers: {accept: 'text/plain'}});
      const parts: Buffer[] = [];
      let bytes = 0;
      for await (const part of response) {
        bytes += (part as Buffer).length;
        if (bytes > bytesMax) {
          return {failed: `answered more than ${bytesMax} bytes`};
        }
        parts.push(part as Buffer);
      }
      return response.statusCode === 200
        ? {text: Buffer.concat(parts).toString('utf8')}
        : {failed: `answered with status ${response.statusCode}`};
    } catch (error) {
      const code = String((error as {code?: unknown}).code ?? (error as Error).name);
      return {
        failed: signal.aborted
          ? `no answer within ${timeoutMs / 1_000} s`
          : `the request failed (${code})`,
      };
    }
  };

export const createLook = ({
  pool,
  readText = createReadText(),
  atOnce = 16,
  limitMs = 8_000,
  now = Date.now,
}: {
  pool: pg.Pool;
  readText?: ReadText;
  /** Servers that are asked beside each other. */
  atOnce?: number;
  /** Then nobody is asked any more: who asked for a report waits for it. */
  limitMs?: number;
  now?: () => number;
}) =>
  async function look(): Promise<Looked> {
    const {rows} = await pool.query<{endpoint: string; models: string[]}>(
      `select url as endpoint, array_agg(distinct upstream_model) as models from endpoints
       group by url order by url limit $1`,
      [targetsMax],
    );
    const told: Told[] = [];
    const waiting = [...rows];
    const until = performance.now() + limitMs;
    const work = async () => {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const {endpoint, models} = next;
        const answer =
          performance.now() < until
            ? await readText(`${endpoint.replace(/\/+$/, '')}/metrics`)
            : {failed: `was not asked: the others took ${limitMs / 1_000} s`};
        const atMs = now();
        told.push(...models.map(model => read({endpoint, upstreamModel: model}, answer, atMs)));
      }
    };
    await Promise.all(Array.from({length: atOnce}, work));
    await keep(pool, told);
    return {
      asked: told.length,
      silent: told.flatMap(one =>
        'reason' in one
          ? [{endpoint: one.endpoint, upstreamModel: one.upstreamModel, reason: one.reason}]
          : [],
      ),
    };
  };

const read = (target: Target, answer: {text: string} | {failed: string}, atMs: number): Told => {
  if ('failed' in answer) {
    return {...target, reason: answer.failed};
  }
  const counters = parseCounters(answer.text, target.upstreamModel);
  return counters
    ? {...target, counters, atMs}
    : {...target, reason: 'has no counters of this model'};
};

const keep = async (pool: pg.Pool, told: readonly Told[]) => {
  const looks = told.flatMap(one => ('counters' in one ? [one] : []));
  await pool.query(
    `insert into engine_counters (endpoint, upstream_model, taken_at, prompt_tokens, generation_tokens, instance)
     select endpoint, model, to_timestamp(taken / 1000.0), prompt, generation, instance
     from unnest($1::text[], $2::text[], $3::float8[], $4::bigint[], $5::bigint[], $6::text[])
       as look (endpoint, model, taken, prompt, generation, instance)
     on conflict do nothing`,
    [
      looks.map(({endpoint}) => endpoint),
      looks.map(({upstreamModel}) => upstreamModel),
      looks.map(({atMs}) => atMs),
      looks.map(({counters}) => String(counters.promptTokens)),
      looks.map(({counters}) => String(counters.generationTokens)),
      looks.map(({counters}) => counters.instance),
    ],
  );
  await pool.query(`delete from engine_counters where taken_at < now() - interval '35 days'`);
};
