/**
Outsider's places: every operation of the admin API's document, about the victim.

In: the victim, what makes a URL of a path. Out: places to send anything to, all of which answer 401 to who has not the admin key.
*/
import {readDocument} from './openapi.ts';
import type {Place} from './outsider.ts';
import {always, type Credential} from './outsider-answers.ts';
import type {Victim} from './outsider-events.ts';

const methods = ['get', 'post', 'patch', 'put', 'delete'];

export const adminPlaces = (
  {org, ids}: Victim,
  urlOf: (path: string) => string,
): readonly Place<Credential>[] => {
  const {budget, key, modelId, project} = ids;
  const idOf = (path: string) =>
    path.includes('/keys/') ? key : path.includes('/models/') ? modelId : budget;
  return Object.entries(readDocument().paths).flatMap(([path, operations]) => {
    const filled = path
      .replace('{org}', org)
      .replace('{project}', String(project?.[0]))
      .replace('{id}', String(idOf(path)?.[0]));
    return Object.keys(operations)
      .filter(method => methods.includes(method))
      .map(method => ({
        name: `${method} ${path}`,
        url: urlOf(filled),
        method: method.toUpperCase(),
        answers: always(401),
      }));
  });
};
