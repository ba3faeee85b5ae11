/**
Session store: users and sessions as a login needs them, by the functions of `schemas/sql/0011-login.sql`. Runs as sluice_tenant.
*/
import type {Grant} from '../../../events/access/access.ts';
import type {Queryable} from '../../../events/database.ts';

export type SessionView = Readonly<{
  user: Readonly<{id: string; email: string; name: string}>;
  operator: boolean;
  grants: readonly Grant[];
  expiresAt: string;
  idleExpiresAt: string;
}>;

/** Who the provider says it is; the email only where it has verified it. */
export type Person = Readonly<{
  issuer: string;
  subject: string;
  email?: string | undefined;
  name: string;
}>;

export type SignedIn =
  | Readonly<{id: string; disabled: boolean}>
  | Readonly<{refused: 'email' | 'taken' | 'unknown'}>;

export type NewSession = Readonly<{
  user: string;
  id: string;
  tokenHash: Buffer;
  groups: readonly string[];
  isOperator: boolean;
  lifeSeconds: number;
  idleSeconds: number;
  /** Of the session that the browser had until now. */
  replaced?: Buffer | undefined;
}>;

export type SessionStore = Readonly<{
  signIn(person: Person, make: {id: string; mayCreate: boolean}): Promise<SignedIn>;
  /** The user's id, once a link; undefined when it is unknown, used or over. */
  useLink(tokenHash: Buffer): Promise<string | undefined>;
  /** Undefined: the user is disabled. */
  start(session: NewSession): Promise<SessionView | undefined>;
  show(tokenHash: Buffer): Promise<SessionView | undefined>;
  /** Whether its user comes from the provider; undefined when there was none. */
  end(tokenHash: Buffer): Promise<boolean | undefined>;
}>;

export const createSessionStore = (client: Queryable): SessionStore => {
  const ask = async <Found>(call: string, values: unknown[]): Promise<Found | undefined> => {
    const {rows} = await client.query<{found: Found | null}>({
      name: call,
      text: `select ${call} as found`,
      values,
    });
    return rows[0]?.found ?? undefined;
  };
  const askView = async (call: string, values: unknown[]) => {
    const found = await ask<SessionView>(call, values);
    return (
      found && {
        ...found,
        expiresAt: new Date(found.expiresAt).toISOString(),
        idleExpiresAt: new Date(found.idleExpiresAt).toISOString(),
      }
    );
  };
  return {
    async signIn({issuer, subject, email, name}, {id, mayCreate}) {
      const values = [issuer, subject, email ?? null, name, id, mayCreate];
      return (await ask<SignedIn>('sign_in($1, $2, $3, $4, $5, $6)', values)) as SignedIn;
    },
    async useLink(tokenHash) {
      return (await ask<{id: string}>('use_login_link($1)', [tokenHash]))?.id;
    },
    start: ({user, id, tokenHash, groups, isOperator, lifeSeconds, idleSeconds, replaced}) =>
      askView('start_session($1, $2, $3, $4, $5, $6, $7, $8)', [
        ...[user, id, tokenHash, groups, isOperator, lifeSeconds, idleSeconds],
        replaced ?? null,
      ]),
    show: tokenHash => askView('show_session($1)', [tokenHash]),
    end: tokenHash => ask<boolean>('end_session($1)', [tokenHash]),
  };
};
