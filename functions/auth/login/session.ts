/**
Session: who is logged in, and the end of it.

In: the session's cookie. Out: `GET /auth/session` the user, their grants and the CSRF token; `POST /auth/logout` the end of the session
in every function, for it is a row that each of them reads; `GET /auth` the same for people.
*/
import {timingSafeEqual} from 'node:crypto';
import type {Request, Response, Router} from 'express';
import {csrfHeader, csrfTokenOf, hashToken} from '../../../events/access/session.ts';
import {SluiceError} from '../../../events/errors.ts';
import {type Cookies, cookieIn} from './cookies.ts';
import {escapeHtml, sendPage} from './pages.ts';
import type {Provider} from './provider.ts';
import {homePath} from './return-to.ts';
import {refuseForeign} from './same-origin.ts';
import {answerOf} from './session-start.ts';
import type {SessionStore} from './session-store.ts';

const script = `'use strict';
document.querySelector('button').onclick=async()=>{
const session=await fetch('/auth/session');
if(!session.ok){location.reload();return}
const {csrfToken}=await session.json();
const answer=await fetch('/auth/logout',{method:'POST',headers:{'content-type':'application/json','${csrfHeader}':csrfToken},body:'{}'});
const {logoutUrl}=answer.ok?await answer.json():{};
location.assign(logoutUrl||'${homePath}')};`;

export const sessionRoutes = ({
  store,
  cookies,
  provider,
  publicUrl,
}: {
  store: SessionStore;
  cookies: Cookies;
  provider: Provider | undefined;
  publicUrl: string;
}) => {
  const find = async (request: Request) => {
    const token = cookieIn(request.headers.cookie, cookies.session);
    const view = token === undefined ? undefined : await store.show(hashToken(token));
    return token !== undefined && view ? {token, view} : undefined;
  };

  const logout = async (request: Request, response: Response) => {
    refuseForeign(request, publicUrl);
    const token = cookieIn(request.headers.cookie, cookies.session);
    if (token !== undefined && !isOurs(request.headers[csrfHeader], token)) {
      throw new SluiceError(
        'forbidden',
        `${csrfHeader}: expected the token that GET /auth/session shows`,
        {
          parameter: csrfHeader,
        },
      );
    }
    const isOfProvider = token !== undefined && (await store.end(hashToken(token)));
    response.append('Set-Cookie', cookies.clear(cookies.session));
    // Without it the next login would be over before anybody sees that there was one.
    const logoutUrl = isOfProvider
      ? await provider?.logoutUrl(`${publicUrl}${homePath}`)
      : undefined;
    response.json(logoutUrl === undefined ? {} : {logoutUrl});
  };

  return function addRoutes(router: Router) {
    router.get('/auth/session', async (request, response) => {
      const found = await find(request);
      if (!found) {
        throw new SluiceError('unauthorized', 'nobody is logged in here; see /auth/login');
      }
      response.json(answerOf(found.view, found.token));
    });
    router.post('/auth/logout', logout);
    router.get(homePath, async (request, response) => {
      const found = await find(request);
      sendPage(
        response,
        found
          ? {
              title: 'You are logged in',
              body: [
                `As <strong>${escapeHtml(found.view.user.email)}</strong>${found.view.operator ? ', who runs this Sluice' : ''}, until ${escapeHtml(found.view.expiresAt)}.`,
                '<button>Log out</button>',
              ],
              script,
            }
          : {title: 'You are not logged in', body: ['<a href="/auth/login">Log in</a>']},
      );
    });
  };
};

const isOurs = (given: unknown, token: string) => {
  const expected = Buffer.from(csrfTokenOf(token));
  const received = Buffer.from(typeof given === 'string' ? given : '');
  return received.length === expected.length && timingSafeEqual(received, expected);
};
