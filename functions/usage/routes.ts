/**
Routes: the query API of usage, for who holds the admin key. A query that names an organisation sees only its rows.
*/
import type {Request, Response, Router} from 'express';
import {SluiceError} from '../../events/errors.ts';
import {requireBearer} from '../../events/serve.ts';
import {toCsv, toJsonAnswer, toRecordAnswer} from './answer.ts';
import {parseQuery, parseRecordQuery} from './query.ts';
import type {UsageStore} from './store.ts';

export const usageRoutes = ({
  store,
  adminKey,
  now = Date.now,
  rowsMax = 10_000,
}: {
  store: UsageStore;
  adminKey: string;
  now?: () => number;
  rowsMax?: number;
}) =>
  function addRoutes(router: Router) {
    router.get('/admin/v1/usage', async (request: Request, response: Response) => {
      requireBearer(request, adminKey);
      const {query, format} = parseQuery(request.query, now());
      const found = await store.query(query, rowsMax + 1);
      const truncated = found.length > rowsMax;
      const rows = found.slice(0, rowsMax);
      if (format === 'json') {
        response.json(toJsonAnswer(query, rows, truncated));
        return;
      }
      response
        .set('x-truncated', String(truncated))
        .attachment('usage.csv')
        .type('text/csv; charset=utf-8')
        .send(toCsv(query, rows));
    });

    router.get('/admin/v1/usage/records', async (request: Request, response: Response) => {
      requireBearer(request, adminKey);
      const {org, request: id} = parseRecordQuery(request.query);
      const record = await store.record(org, id);
      if (!record) {
        throw new SluiceError(
          'not_found',
          `organisation ${org} has no usage record of request ${id}`,
        );
      }
      response.json(toRecordAnswer(record));
    });
  };
