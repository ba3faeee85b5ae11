/**
Routes: `POST /admin/v1/usage/verify`, the operator's. It is a POST because it looks at model servers and keeps what
they said.
*/
import type {Request, RequestHandler, Response, Router} from 'express';
import {bodyOf, readJson} from '../../../events/json-body.ts';
import {parseWanted, type Wanted} from './parameters.ts';
import type {Report} from './verify.ts';

export const verifyRoutes = ({
  verify,
  guard,
  now = Date.now,
}: {
  verify: (wanted: Wanted) => Promise<Report>;
  /** Of `events/access`. */
  guard: RequestHandler;
  now?: () => number;
}) =>
  function addRoutes(router: Router) {
    router.use('/admin/v1/usage/verify', guard);
    router.post('/admin/v1/usage/verify', async (request: Request, response: Response) => {
      const fields = bodyOf(request).length === 0 ? {} : readJson(request);
      response.set('Cache-Control', 'no-store').json(await verify(parseWanted(fields, now())));
    });
  };
