/**
Request id: tells a client under which id its request is known here, by the names that it may read.

In: an id, how the errors of the route's API look. Out: headers, which a later call replaces: an answer may be another request's.
*/
import type {ClientResponse} from '../exchange/admitted.ts';
import type {ErrorForm} from '../surface/form.ts';

export const setRequestId = (
  response: Pick<ClientResponse, 'setHeader'>,
  id: string,
  {idHeader}: Pick<ErrorForm, 'idHeader'>,
) => {
  response.setHeader('x-request-id', id);
  if (idHeader !== undefined) {
    response.setHeader(idHeader, id);
  }
};
