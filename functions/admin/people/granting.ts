/**
Granting: nobody grants, changes or takes away a role above their own.

In: a request that the guard let through, where the role counts, the roles that it is about. Out: nothing, or `forbidden`.
*/
import type {Request} from 'express';
import {type Actor, accessOf, type Role, type Scope} from '../../../events/access/access.ts';
import {isAtLeast, roleIn} from '../../../events/access/rule.ts';
import {SluiceError} from '../../../events/errors.ts';

type Place = Pick<Scope, 'org' | 'project'>;

/** As a row has it. */
export const placeOf = (org: string, project: string | null | undefined): Place => ({
  org,
  ...(project ? {project} : {}),
});

export const mayGrant = (
  actor: Pick<Actor, 'isOperator' | 'grants'>,
  place: Place,
  granted: readonly Role[],
): boolean => {
  const own = roleIn(actor, place);
  return actor.isOperator || granted.every(role => own !== undefined && isAtLeast(own, role));
};

export const refuseAbove = (request: Request, place: Place, ...granted: readonly Role[]) => {
  const {actor} = accessOf(request);
  if (!mayGrant(actor, place, granted)) {
    throw new SluiceError(
      'forbidden',
      `role: expected ${roleIn(actor, place) ?? 'none'}, which is your own, or a weaker one; this is about ${granted.join(' and ')}`,
      {parameter: 'role'},
    );
  }
};
