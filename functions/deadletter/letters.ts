/**
Letters: the dead letters in PostgreSQL: lists, shows, redrives and drops them.

A redrive marks the letter and writes its event into the outbox in one transaction, so that it is sent once however many ask.
Many are done in small parts, each a transaction of its own, because each holds its events in memory.
*/
import type pg from 'pg';
import {asTenant, inNameOf} from '../../events/database.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Filter, Many, Page} from './query.ts';
import {type Redrivable, refusalOf, toRedriven} from './redrive.ts';
import * as statements from './statements.ts';
import type {Letter, LetterWithEvent} from './view.ts';

export type Act = 'redrive' | 'drop';
/** `count` were done, or would be; `refused` wait and cannot be redriven; `more` when the limit was reached. */
export type Done = Readonly<{
  count: number;
  refused: number;
  ids: readonly string[];
  more: boolean;
}>;

type ListedLetter = Letter & Readonly<{micros: string}>;
type Locked = Redrivable & Readonly<{org_id: string | null}>;

const idsShown = 100;

export const createLetters = ({pool, partRows = 10}: {pool: pg.Pool; partRows?: number}) => {
  const list = async (filter: Filter, {state, limit, after}: Page): Promise<ListedLetter[]> => {
    const values = [...valuesOf(filter), ...(after ?? [null, null]), limit];
    const query = async (client: pg.Pool | pg.PoolClient) =>
      (await client.query<ListedLetter>(statements.list(state), values)).rows;
    // Of one organisation: the database decides what is seen, not the statement.
    return filter.org === undefined ? query(pool) : asTenant(pool)(filter.org, query);
  };

  const find = async (id: string, org?: string): Promise<LetterWithEvent> => {
    const query = (client: pg.Pool | pg.PoolClient) =>
      client.query<LetterWithEvent>(statements.find, [id]);
    const {rows} = await (org === undefined ? query(pool) : asTenant(pool)(org, query));
    return rows[0] ?? missing(id);
  };

  /** Returns why not, by letter; the others are done. */
  const apply = async (client: pg.PoolClient, act: Act, letters: readonly Locked[]) => {
    if (act === 'drop') {
      await client.query(statements.drop, [letters.map(({id}) => id)]);
      return new Map<string, string>();
    }
    const refused = new Map<string, string>();
    const sent: {letter: Locked; json: string}[] = [];
    for (const letter of letters) {
      const refusal = refusalOf(letter);
      const json = refusal === undefined ? toRedriven(String(letter.event), letter.id) : undefined;
      if (json === undefined) {
        refused.set(letter.id, refusal ?? 'cannot be redriven: what was kept is no event');
      } else {
        sent.push({letter, json});
      }
    }
    if (sent.length > 0) {
      await client.query(statements.redrive, [
        sent.map(({letter}) => letter.id),
        sent.map(({letter}) => letter.origin),
        sent.map(({letter}) => letter.org_id),
        sent.map(({json}) => json),
      ]);
    }
    return refused;
  };

  /** `actor`: who the audit says did it. */
  const one = (act: Act, id: string, actor?: string): Promise<LetterWithEvent> =>
    inNameOf(
      pool,
      actor,
    )(async client => {
      const [letter] = (await client.query<Locked>(statements.lock, [id])).rows;
      if (!letter) {
        return missing(id);
      }
      const refusal =
        act === 'drop' && !letter.redriven_at && !letter.dropped_at ? undefined : refusalOf(letter);
      const why = refusal ?? (await apply(client, act, [letter])).get(id);
      if (why !== undefined) {
        throw new SluiceError('conflict', `the dead letter ${id} ${why}`);
      }
      const {rows} = await client.query<LetterWithEvent>(statements.find, [id]);
      return rows[0] as LetterWithEvent;
    });

  const many = async (
    act: Act,
    filter: Filter,
    {dryRun, limit, actor}: Many & Readonly<{actor?: string}>,
  ): Promise<Done> => {
    const transaction = inNameOf(pool, actor);
    const values = valuesOf(filter);
    if (dryRun) {
      const {rows} = await pool.query<{count: number; ids: string[] | null}>(
        statements.preview(act),
        [...values, idsShown],
      );
      const {count = 0, ids} = rows[0] ?? {};
      return {count, refused: await countRefused(act, values), ids: ids ?? [], more: false};
    }
    const done: string[] = [];
    const refused: string[] = [];
    for (;;) {
      const wanted = Math.min(partRows, limit - done.length - refused.length);
      const found = await transaction(async client => {
        const text = statements.lockSome(act);
        const {rows} = await client.query<Locked>(text, [...values, wanted, refused]);
        const not = await apply(client, act, rows);
        return {ids: rows.map(({id}) => id), not};
      });
      done.push(...found.ids.filter(id => !found.not.has(id)));
      refused.push(...found.not.keys());
      const more = done.length + refused.length >= limit;
      if (found.ids.length < wanted || more) {
        const count = refused.length + (await countRefused(act, values));
        return {count: done.length, refused: count, ids: done.slice(0, idsShown), more};
      }
    }
  };

  const countRefused = async (act: Act, values: readonly unknown[]): Promise<number> => {
    if (act === 'drop') {
      return 0;
    }
    const {rows} = await pool.query<{count: number}>(statements.countRefused, [...values]);
    return rows[0]?.count ?? 0;
  };

  const countWaiting = async (): Promise<number> =>
    (await pool.query<{count: number}>(statements.countWaiting)).rows[0]?.count ?? 0;

  return {list, find, one, many, countWaiting};
};

export type Letters = ReturnType<typeof createLetters>;

const valuesOf = ({org, subscription, type, since}: Filter) => [org, subscription, type, since];

const missing = (id: string): never => {
  throw new SluiceError('not_found', `there is no dead letter ${id}`, {parameter: 'id'});
};
