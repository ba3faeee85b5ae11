/**
Routes: the query API of usage. A query that names an organisation sees only its rows.
*/
import {pipeline} from 'node:stream/promises';
import type {Request, RequestHandler, Response, Router} from 'express';
import {accessOf} from '../../events/access/access.ts';
import {SluiceError} from '../../events/errors.ts';
import {toCsv, toJsonAnswer, toRecordAnswer} from './answer.ts';
import {exportChunks} from './export.ts';
import {parseExport, parseQuery, parseRecordQuery} from './query.ts';
import type {UsageStore} from './store.ts';

export const usageRoutes = ({
  store,
  guard,
  now = Date.now,
  rowsMax = 10_000,
  onExportError = () => {},
}: {
  store: UsageStore;
  /** Of `events/access`. */
  guard: RequestHandler;
  now?: () => number;
  rowsMax?: number;
  /** An export broke off, and its client saw no more than that. */
  onExportError?: (error: Error) => void;
}) =>
  function addRoutes(router: Router) {
    router.use('/admin/v1/usage', guard);
    router.get('/admin/v1/usage', async (request: Request, response: Response) => {
      const {query: asked, format} = parseQuery(request.query, now());
      const query = withinOrg(asked, request);
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

    router.get('/admin/v1/usage/export', async (request: Request, response: Response) => {
      const {query, format} = parseExport(request.query, now());
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      const chunks = exportChunks({store, query, format, signal: gone.signal});
      try {
        // What fails before the first page is a problem with a status; what fails later can only break off.
        const first = await chunks.next();
        response
          .attachment(`usage.${format === 'csv' ? 'csv' : 'ndjson'}`)
          .type(format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson');
        await pipeline(prepend(first.value ?? '', chunks), response);
      } catch (error) {
        if (!response.headersSent && !gone.signal.aborted) {
          throw error;
        }
        if (!gone.signal.aborted) {
          onExportError(error as Error);
        }
      }
    });

    router.get('/admin/v1/usage/records', async (request: Request, response: Response) => {
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

/** Who names a project alone is held to its organisation by the database, and not by our SQL alone. */
const withinOrg = <Query extends Readonly<{org?: string | undefined}>>(
  query: Query,
  request: Request,
): Query => {
  const org = query.org ?? accessOf(request).org;
  return org === undefined ? query : {...query, org};
};

async function* prepend(first: string, rest: AsyncIterable<string>) {
  yield first;
  yield* rest;
}
