/**
Routes: `POST /admin/v1/usage/verify`, for who holds the admin key. It is a POST because it looks at model servers and keeps what
they said.
*/
import type {Request, Response, Router} from 'express';
import {bodyOf, readJson} from '../../../events/json-body.ts';
import {requireBearer} from '../../../events/serve.ts';
import {parseWanted, type Wanted} from './parameters.ts';
import type {Report} from './verify.ts';

export const verifyRoutes = ({
  verify,
  adminKey,
  now = Date.now,
}: {
  verify: (wanted: Wanted) => Promise<Report>;
  adminKey: string;
  now?: () => number;
}) =>
  function addRoutes(router: Router) {
    router.post('/admin/v1/usage/verify', async (request: Request, response: Response) => {
      requireBearer(request, adminKey);
      const fields = bodyOf(request).length === 0 ? {} : readJson(request);
      response.set('Cache-Control', 'no-store').json(await verify(parseWanted(fields, now())));
    });
  };
