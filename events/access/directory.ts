/**
Directory: the port through which callers and subjects are looked up, and its PostgreSQL adapter (functions of
`schemas/sql/0009-people.sql`, for sluice_tenant and sluice_system).
*/
import type {Queryable} from '../database.ts';
import type {Grant, Scope, SubjectKind} from './access.ts';

export type Known = Readonly<{
  id: string;
  name: string;
  operator: boolean;
  grants: readonly Grant[];
}>;

export type Directory = Readonly<{
  /** Undefined when there is nothing of this id. */
  scopeOf(kind: SubjectKind, id: string): Promise<Scope | undefined>;
  /** By SHA-256 of the session's token; undefined: none, over, or its user is disabled. */
  bySession(tokenHash: Buffer): Promise<Known | undefined>;
  /** By the provider's words; `id` is absent for a subject that is no user. Undefined: its user is disabled. */
  bySubject(
    claims: Readonly<{issuer: string; subject: string; groups: readonly string[]; email?: string}>,
  ): Promise<(Omit<Known, 'id' | 'name'> & Partial<Known>) | undefined>;
  /** Whoever asks compares the hash of the secret. */
  byServiceKey(
    publicId: string,
  ): Promise<(Known & {secretHash: Buffer; stale: boolean}) | undefined>;
  /** For keys that are `stale`: that one was used is written once a minute. */
  serviceKeyUsed(id: string): Promise<void>;
}>;

type ScopeRow = {org_id: string; project_id: string | null; suspended: boolean; deleted: boolean};
type Found = {
  id?: string;
  name?: string;
  operator?: boolean;
  disabled?: boolean;
  secretHash?: string;
  stale?: boolean;
  grants: Grant[];
};

export const createDirectory = (client: Queryable): Directory => {
  const find = async (text: string, values: unknown[]): Promise<Found | undefined> => {
    const {rows} = await client.query<{found: Found | null}>({
      name: text,
      text: `select ${text} as found`,
      values,
    });
    return rows[0]?.found ?? undefined;
  };
  return {
    async scopeOf(kind, id) {
      const {rows} = await client.query<ScopeRow>({
        name: 'scope-of',
        text: 'select * from scope_of($1, $2)',
        values: [kind, id],
      });
      const [row] = rows;
      return (
        row && {
          org: row.org_id,
          ...(row.project_id === null ? {} : {project: row.project_id}),
          suspended: row.suspended,
          deleted: row.deleted,
        }
      );
    },
    async bySession(tokenHash) {
      return (await find('actor_of_session($1)', [tokenHash])) as Known | undefined;
    },
    async bySubject({issuer, subject, groups, email}) {
      const found = await find('actor_of_subject($1, $2, $3, $4)', [
        issuer,
        subject,
        groups,
        email,
      ]);
      return !found || found.disabled
        ? undefined
        : {
            ...(found.id ? {id: found.id, name: found.name as string} : {}),
            operator: found.operator === true,
            grants: found.grants,
          };
    },
    async byServiceKey(publicId) {
      const found = await find('actor_of_service_key($1)', [publicId]);
      return (
        found && {
          ...(found as Known),
          operator: false,
          stale: found.stale === true,
          secretHash: Buffer.from(found.secretHash as string, 'hex'),
        }
      );
    },
    async serviceKeyUsed(id) {
      await client.query({
        name: 'service-key-used',
        text: 'select service_key_used($1)',
        values: [id],
      });
    },
  };
};
