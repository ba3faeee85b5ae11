/**
People: users of a test's admin server who are logged in, with roles.

In: an admin server. Out: calls in their name, each answer held to the contract. A session is written into the table, as the login
would; what a browser sends with it is sent.
*/
import {randomUUID} from 'node:crypto';
import {
  cookieNames,
  csrfHeader,
  csrfTokenOf,
  hashToken,
  makeSessionToken,
} from '../../events/access/session.ts';
import type {AdminServer, Json} from './admin-server.ts';

export type Call = AdminServer['call'];
export type Role = 'viewer' | 'member' | 'admin' | 'owner';

export const createPeople = (admin: AdminServer) => {
  const pool = admin.database.pool('superuser');

  const callAs =
    (token: string): Call =>
    async (method, path, body) => {
      const response = await fetch(admin.url + path, {
        method,
        headers: {
          cookie: `${cookieNames.plain}=${token}`,
          [csrfHeader]: csrfTokenOf(token),
          'content-type': 'application/json',
        },
        ...(body === undefined ? {} : {body: JSON.stringify(body)}),
      });
      const text = await response.text();
      const answer = {
        status: response.status,
        headers: response.headers,
        contentType: response.headers.get('content-type'),
        text,
        body: (text === '' ? undefined : JSON.parse(text)) as Json,
      };
      admin.contract.check({method, path, ...answer});
      return answer;
    };

  const logIn = async (user: string, groups: readonly string[] = []): Promise<Call> => {
    const token = makeSessionToken();
    await pool.query(
      `insert into sessions (id, token_hash, user_id, groups, expires_at)
       values ($1, $2, $3, $4, now() + interval '1 hour')`,
      [randomUUID(), hashToken(token), user, groups],
    );
    return callAs(token);
  };

  /** A member with a session. */
  const createMember = async (
    org: string,
    role: Role,
    {project, email = `${randomUUID()}@example.com`}: {project?: string; email?: string} = {},
  ) => {
    const path = `/admin/v1/orgs/${org}/members`;
    const member = await admin.create(path, {email, role, ...(project ? {project} : {})});
    const user = member.user as string;
    return {id: member.id, user, email, call: await logIn(user)};
  };

  return {logIn, createMember};
};
