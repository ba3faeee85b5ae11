/**
Requests: why one request was answered as it was.

In: the id that its answer carried as x-request-id; the organisation, where the caller knows it. Out: everything that is known
of it, or 404: it is nobody's, or one that nothing is kept of.
*/
import type {Router} from 'express';
import {SluiceError} from '../../../events/errors.ts';
import {monthOf} from '../../../events/uuid.ts';
import type {Dependencies} from '../api/dependencies.ts';
import {idIn} from '../api/tenancy.ts';
import {explain, isFound} from './explain.ts';
import {readRequest} from './explain-rows.ts';

export const requestRoutes = ({contract, tenancy, now}: Dependencies) =>
  function addRequestRoutes(router: Router) {
    router.get('/admin/v1/requests/:id', async (request, response) => {
      const query = contract.query<{org?: string}>('explainRequest', request.query);
      const id = idIn(request, 'id');
      if (monthOf(id) === undefined) {
        throw unknown(id);
      }
      const owner = query.org ?? (await tenancy(request).orgOfRequest(id));
      if (owner === undefined) {
        throw unknown(id);
      }
      const view = await tenancy(request).owning('org', owner, async client => {
        const found = {
          request: id,
          org: owner,
          now: now(),
          ...(await readRequest(client, owner, id)),
        };
        if (!isFound(found)) {
          throw unknown(id);
        }
        return explain(found);
      });
      response.json(view);
    });
  };

const unknown = (id: string) =>
  new SluiceError(
    'not_found',
    `nothing is known of request ${id}: there was none, its events are not read yet, or it was refused without a known key, a day ago, or among too many`,
    {parameter: 'id'},
  );
