/**
Session start: from a user to a cookie. Each login makes a new token, whatever the browser had before, so that nobody can have
given it the token of the session that it logs in to.
*/
import type {Request, Response} from 'express';
import {csrfTokenOf, hashToken, makeSessionToken} from '../../../events/access/session.ts';
import {uuidv7} from '../../../events/uuid.ts';
import {type Cookies, cookieIn} from './cookies.ts';
import type {SessionStore, SessionView} from './session-store.ts';

export type SessionLife = Readonly<{lifeSeconds: number; idleSeconds: number}>;

/** What GET /auth/session shows: the session, and the token that proves that a page of ours asks. */
export const answerOf = (view: SessionView, token: string) => ({
  ...view,
  csrfToken: csrfTokenOf(token),
});

export const createSessionStart = ({
  store,
  cookies,
  life,
}: {
  store: SessionStore;
  cookies: Cookies;
  life: SessionLife;
}) =>
  /** Undefined: the user is disabled. */
  async function startSession(
    request: Request,
    response: Response,
    {user, groups, isOperator}: {user: string; groups: readonly string[]; isOperator: boolean},
  ): Promise<{view: SessionView; token: string} | undefined> {
    const token = makeSessionToken();
    const before = cookieIn(request.headers.cookie, cookies.session);
    const view = await store.start({
      user,
      id: uuidv7(),
      tokenHash: hashToken(token),
      groups,
      isOperator,
      ...life,
      replaced: before === undefined ? undefined : hashToken(before),
    });
    if (!view) {
      return undefined;
    }
    response.append('Set-Cookie', cookies.set(cookies.session, token, life.lifeSeconds));
    return {view, token};
  };

export type StartSession = ReturnType<typeof createSessionStart>;
