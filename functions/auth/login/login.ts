/**
Login: by the OpenID provider, in two halves: `GET /auth/login` sends the browser there, `GET /auth/callback` takes it back.

In: where to return to; what the provider adds to the callback. Out: a session, and the way back; or a page that says why not. Between
the halves nothing is kept here: the browser keeps it, sealed, so that only the browser that began a login can end it.
*/
import {timingSafeEqual} from 'node:crypto';
import type {Request, Response, Router} from 'express';
import {asSluiceError} from '../../../events/errors.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {uuidv7} from '../../../events/uuid.ts';
import {type Cookies, cookieIn} from './cookies.ts';
import {
  alreadyTaken,
  disabled,
  howByLink,
  notInvited,
  notVerified,
  providerPage,
  startAgain,
} from './login-pages.ts';
import {type Page, sendPage} from './pages.ts';
import type {Checks, Provider} from './provider.ts';
import {ProviderFault} from './provider-fault.ts';
import {localPath} from './return-to.ts';
import type {Seal} from './seal.ts';
import type {StartSession} from './session-start.ts';
import type {SessionStore} from './session-store.ts';

/** What a person may take at the provider. */
const loginSeconds = 600;

type Kept = Checks & {returnTo: string};

export type LoginDependencies = Readonly<{
  provider: Provider | undefined;
  store: SessionStore;
  startSession: StartSession;
  cookies: Cookies;
  seal: Seal;
  /** Whether who is not known yet becomes a user by logging in. */
  mayCreate: boolean;
  logger: Logger;
}>;

export const loginRoutes = (dependencies: LoginDependencies) =>
  function addRoutes(router: Router) {
    const {provider, cookies, seal, logger} = dependencies;
    const paged =
      (work: (request: Request, response: Response) => Promise<Page | undefined>) =>
      async (request: Request, response: Response) => {
        const page = await work(request, response).catch(error => pageOf(error, logger));
        if (page) {
          sendPage(response, page);
        }
      };
    router.get(
      '/auth/login',
      paged(async (request, response) => {
        if (!provider) {
          return howByLink;
        }
        const {url, checks} = await provider.begin();
        const kept: Kept = {...checks, returnTo: localPath(request.query.return_to)};
        response.append(
          'Set-Cookie',
          cookies.set(cookies.login, seal.close(kept, loginSeconds * 1_000), loginSeconds),
        );
        response.redirect(302, url);
        return undefined;
      }),
    );
    router.get(
      '/auth/callback',
      paged(async (request, response) => {
        // Once, however it ends.
        response.append('Set-Cookie', cookies.clear(cookies.login));
        const kept = seal.open(cookieIn(request.headers.cookie, cookies.login) ?? '') as
          | Kept
          | undefined;
        if (!provider || !kept || !isSame(request.query.state, kept.state)) {
          return startAgain;
        }
        return await finish(dependencies, provider, {kept, request, response});
      }),
    );
  };

const isSame = (given: unknown, expected: string) =>
  typeof given === 'string' &&
  given.length === expected.length &&
  timingSafeEqual(Buffer.from(given), Buffer.from(expected));

const finish = async (
  {store, startSession, mayCreate, logger}: LoginDependencies,
  provider: Provider,
  {kept, request, response}: {kept: Kept; request: Request; response: Response},
): Promise<Page | undefined> => {
  const {search} = new URL(request.originalUrl, 'http://host.invalid');
  const {claims, email, name} = await provider.finish(search, kept);
  const {issuer, subject, groups, isOperator} = claims;
  const found = await store.signIn({issuer, subject, email, name}, {id: uuidv7(), mayCreate});
  if ('refused' in found) {
    logger.info({subject, refused: found.refused}, 'nobody was logged in');
    return {email: notVerified, taken: alreadyTaken, unknown: notInvited}[found.refused];
  }
  const started =
    !found.disabled &&
    (await startSession(request, response, {user: found.id, groups, isOperator}));
  if (!started) {
    logger.info({user: found.id}, 'a disabled user was not logged in');
    return disabled;
  }
  logger.info({user: found.id, by: 'provider'}, 'logged in');
  response.redirect(303, kept.returnTo);
  return undefined;
};

const pageOf = (error: unknown, logger: Logger): Page => {
  if (error instanceof ProviderFault) {
    logger[error.kind === 'refused' ? 'info' : 'warn']({fault: error.kind}, error.message);
    return providerPage(error);
  }
  const {status, code, message, cause} = asSluiceError(error);
  if (status >= 500) {
    logger.error({err: cause ?? error}, message);
  }
  return {
    title: 'That did not work',
    status,
    body: [`Sluice answers ${status} (${code}). Try again in a moment.`],
  };
};
