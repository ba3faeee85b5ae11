/**
Tenancy: from the id in an operator's path to the organisation that it belongs to.

Everything after that runs as this organisation, so that row-level security and not our SQL decides what is seen.
What the database breaks off to untangle a circle of locks is done again, so work has no effects but in its transaction.
*/
import type {Request} from 'express';
import type pg from 'pg';
import {accessOf, auditedActor} from '../../../events/access/access.ts';
import {asTenant} from '../../../events/database.ts';
import {SluiceError} from '../../../events/errors.ts';
import {isUuid, monthOf} from '../../../events/uuid.ts';

export type Kind =
  | 'org'
  | 'project'
  | 'key'
  | 'budget'
  | 'member'
  | 'groupRole'
  | 'serviceKey'
  | 'audit';

export type Tenancy = Readonly<{
  /** Runs work as the organisation that owns `id`; `not_found` when nobody does. */
  owning<Result>(
    kind: Kind,
    id: string,
    work: (client: pg.PoolClient, org: string) => Promise<Result>,
  ): Promise<Result>;
  as<Result>(org: string, work: (client: pg.PoolClient) => Promise<Result>): Promise<Result>;
  /** Runs work as who runs the platform, in no organisation. */
  operator<Result>(work: (client: pg.PoolClient) => Promise<Result>): Promise<Result>;
  /** The organisation that was charged for a request; undefined when none was. */
  orgOfRequest(request: string): Promise<string | undefined>;
}>;

const nouns: Readonly<Record<Kind, string>> = {
  org: 'organisation',
  project: 'project',
  key: 'key',
  budget: 'budget',
  member: 'member',
  groupRole: 'group role',
  serviceKey: 'service key',
  audit: 'entry of the audit',
};

/** Deadlock, serialization failure. */
const passing = new Set<unknown>(['40P01', '40001']);

/** Of the schema: something was to be made in what is deleted. */
const deleted = 'SL409';

/** What a request does, it does in the name of who asks: the audit tells. */
export const createTenancy =
  (pool: pg.Pool, {attempts = 5} = {}) =>
  (request: Request): Tenancy => {
    const actor = auditedActor(accessOf(request));
    const once = asTenant(pool);
    const as: Tenancy['as'] = async (org, work) => {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await once(org, work, actor);
        } catch (error) {
          if ((error as {code?: unknown}).code === deleted) {
            throw new SluiceError('conflict', (error as Error).message, {cause: error});
          }
          if (attempt >= attempts || !passing.has((error as {code?: unknown}).code)) {
            throw error;
          }
        }
      }
    };
    return {
      as,
      operator: work => as('', work),
      async owning(kind, id, work) {
        const {rows} = await pool.query<{org: string | null}>({
          name: 'org-of',
          text: 'select org_id as org from scope_of($1, $2)',
          values: [kind, id],
        });
        const org = rows[0]?.org;
        if (!org) {
          throw new SluiceError('not_found', `there is no ${nouns[kind]} ${id}`, {parameter: kind});
        }
        return as(org, client => work(client, org));
      },
      async orgOfRequest(request) {
        const {rows} = await pool.query<{org: string | null}>({
          name: 'org-of-request',
          text: 'select org_of_request($1, $2) as org',
          values: [monthOf(request), request],
        });
        return rows[0]?.org ?? undefined;
      },
    };
  };

/** The id in a path. What cannot be an id is refused here and never reaches the database. */
export const idIn = (request: Request, name: string): string => {
  const id = request.params[name];
  if (!isUuid(id)) {
    throw new SluiceError('bad_request', `${name}: expected an id, a UUID in lower case`, {
      parameter: name,
    });
  }
  return id;
};
