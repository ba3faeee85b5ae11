/**
Routes: the sink of dead letters, and what an operator does with them.
*/
import type {Request, RequestHandler, Response, Router} from 'express';
import {accessOf, auditedActor} from '../../events/access/access.ts';
import {writeCursor} from '../../events/cursor.ts';
import {SluiceError} from '../../events/errors.ts';
import {sendResource} from '../../events/etag.ts';
import {readJson} from '../../events/json-body.ts';
import {isUuid} from '../../events/uuid.ts';
import type {Act, Letters} from './letters.ts';
import {parseList, parseMany} from './query.ts';
import {toJsonWithEvent, toView} from './view.ts';

const base = '/admin/v1/dead-letters';
const acts: readonly Act[] = ['redrive', 'drop'];

export const deadLetterRoutes = ({
  letters,
  receive,
  guard,
  onChanged = () => {},
}: {
  letters: Letters;
  receive: (request: Request, response: Response) => Promise<void>;
  /** Of `events/access`. */
  guard: RequestHandler;
  /** Letters were redriven or dropped. */
  onChanged?: () => void;
}) =>
  function addRoutes(router: Router) {
    router.post('/', receive);
    router.options('/', (_request, response) => {
      response.set('Allow', 'POST').status(200).end();
    });
    router.all('/', (_request, response) => {
      response.set('Allow', 'POST');
      throw new SluiceError('method_not_allowed', 'this route takes POST');
    });

    router.use(base, guard);
    router.get(base, async (request, response) => {
      const {filter, page} = parseList(request.query);
      const found = await letters.list(filter, {...page, limit: page.limit + 1});
      const shown = found.slice(0, page.limit);
      const last = shown.at(-1);
      const next =
        last && found.length > page.limit ? {next: writeCursor([last.micros, last.id])} : {};
      response.json({data: shown.map(toView), ...next});
    });
    router.get(`${base}/:id`, async (request, response) => {
      const letter = await letters.find(idOf(request), accessOf(request).org);
      sendResource(request, response, letter, {json: toJsonWithEvent(letter)});
    });
    for (const act of acts) {
      router.post(`${base}/${act}`, async (request, response) => {
        const {filter, many} = parseMany(readJson(request));
        const done = await letters.many(act, filter, {...many, actor: actorOf(request)});
        onChanged();
        response.json({dryRun: many.dryRun, ...done});
      });
      router.post(`${base}/:id/${act}`, async (request, response) => {
        const letter = await letters.one(act, idOf(request), actorOf(request));
        onChanged();
        response.type('json').send(toJsonWithEvent(letter));
      });
    }
  };

const actorOf = (request: Request) => auditedActor(accessOf(request));

const idOf = ({params: {id}}: Request): string => {
  if (!isUuid(id)) {
    throw new SluiceError('bad_request', 'id: expected an id, a UUID in lower case', {
      parameter: 'id',
    });
  }
  return id;
};
