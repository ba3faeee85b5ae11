/**
Key uses: when a key was last used, written beside the records of a batch, so that no gateway writes for it.

In: the new records of a batch. Out: at most one statement, none where this process has told of all its keys within a minute. What a
transaction told is remembered once it is committed.
*/
import {LRUCache} from 'lru-cache';
import type {Queryable} from '../../events/database.ts';
import type {UsageRecord} from './record.ts';

const graceMs = 60_000;

/** In one order, as every batch locks. A row that is new enough is not touched: PostgreSQL would lock it before it looks. */
const upsertText = `
  insert into key_uses as old (key_id, org_id, last_used_at)
  select new.key_id, new.org_id, new.at from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as new (key_id, org_id, at)
  where not exists (
    select from key_uses known where known.org_id = new.org_id and known.key_id = new.key_id
      and known.last_used_at > new.at - interval '1 minute')
  order by new.org_id, new.key_id
  on conflict (org_id, key_id) do update set last_used_at = excluded.last_used_at where old.last_used_at < excluded.last_used_at`;

type Use = Readonly<{org: string; key: string; atMs: number}>;

/** The last use of each key, by organisation and key. */
export const lastUses = (records: readonly UsageRecord[]): Map<string, Use> => {
  const uses = new Map<string, Use>();
  for (const {key, org, at} of records) {
    const atMs = Date.parse(at);
    const name = `${org} ${key}`;
    if (atMs > (uses.get(name)?.atMs ?? Number.NEGATIVE_INFINITY)) {
      uses.set(name, {org, key, atMs});
    }
  }
  return uses;
};

export const createKeyUses = ({keysMax = 100_000} = {}) => {
  // With `max` it would make room for all of them at the start.
  const told = new LRUCache<string, number>({maxSize: keysMax, sizeCalculation: () => 1});
  /** Of one transaction. */
  return function begin(client: Queryable) {
    const telling = new Map<string, number>();
    return {
      async note(records: readonly UsageRecord[]) {
        const news = [...lastUses(records)].filter(
          ([name, {atMs}]) => atMs >= (told.get(name) ?? Number.NEGATIVE_INFINITY) + graceMs,
        );
        if (news.length === 0) {
          return;
        }
        await client.query({
          name: 'usage-key-uses',
          text: upsertText,
          values: [
            news.map(([, {key}]) => key),
            news.map(([, {org}]) => org),
            news.map(([, {atMs}]) => new Date(atMs)),
          ],
        });
        for (const [name, {atMs}] of news) {
          telling.set(name, atMs);
        }
      },
      committed() {
        for (const [name, atMs] of telling) {
          told.set(name, atMs);
        }
      },
    };
  };
};

export type KeyUses = ReturnType<ReturnType<typeof createKeyUses>>;
