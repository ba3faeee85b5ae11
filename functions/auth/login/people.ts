/**
People: the routes under `/auth`, by which people log in and out.

In: the store of sessions, the provider when there is one. Out: the routes. What they answer is nobody else's: no cache keeps it,
no other site reads it, and where a link leads is not told where it came from.
*/
import type {Router} from 'express';
import type {Queryable} from '../../../events/database.ts';
import type {Logger} from '../../../events/telemetry.ts';
import {createCookies} from './cookies.ts';
import {linkRoutes} from './link.ts';
import {loginRoutes} from './login.ts';
import type {People} from './people-settings.ts';
import {createSeal} from './seal.ts';
import {sessionRoutes} from './session.ts';
import {createSessionStart} from './session-start.ts';
import {createSessionStore} from './session-store.ts';

export const peopleRoutes = ({
  people: {publicUrl, secret, life, provider, mayCreate},
  pool,
  logger,
}: {
  people: Omit<People, 'databaseUrl'>;
  /** As sluice_tenant. */
  pool: Queryable;
  logger: Logger;
}) =>
  function addRoutes(router: Router) {
    const store = createSessionStore(pool);
    const cookies = createCookies(publicUrl);
    const startSession = createSessionStart({store, cookies, life});
    const seal = createSeal({secret, purpose: 'sluice login cookie'});
    router.use('/auth', (_request, response, next) => {
      response.set({
        'Cache-Control': 'no-store',
        'Referrer-Policy': 'no-referrer',
        'X-Content-Type-Options': 'nosniff',
        'Cross-Origin-Resource-Policy': 'same-origin',
      });
      next();
    });
    loginRoutes({provider, store, startSession, cookies, seal, mayCreate, logger})(router);
    linkRoutes({store, startSession, publicUrl, logger})(router);
    sessionRoutes({store, cookies, provider, publicUrl})(router);
  };
