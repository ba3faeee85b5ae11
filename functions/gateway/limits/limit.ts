/**
Limit: what an organisation, a project, a key or a model may use: requests and tokens a minute, requests at once.

In: a principal and a model with their rates. Out: the limits that one request of theirs counts in. Those of an organisation, a
project and a key are its own over all models; a model's are those of everybody together.
*/

import type {Rates, RateUnit} from '../../../events/rates.ts';
import {rateUnits as units} from '../../../events/rates.ts';
import type {Principal} from '../../auth/principal.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';

export type Scope = 'organisation' | 'project' | 'key' | 'model';

export type Limit = Readonly<{
  /** Also its name in the store. */
  id: string;
  scope: Scope;
  unit: RateUnit;
  /** A minute, or at once. */
  capacity: number;
}>;

/** What one request takes of a limit. */
export type Use = Readonly<{limit: Limit; amount: number}>;

const limitsOf = (scope: Scope, id: string, rates: Rates | undefined): Limit[] =>
  rates === undefined
    ? []
    : units.flatMap(unit => {
        const capacity = rates[unit];
        return capacity === undefined
          ? []
          : [{id: `${scope}:${id}:${unit}`, scope, unit, capacity}];
      });

const none: readonly Limit[] = [];
/** Both are replaced when they change, so what was found of one stays true. */
const ofPrincipals = new WeakMap<Principal, readonly Limit[]>();
const ofModels = new WeakMap<ModelEntry, readonly Limit[]>();

export const limitsOfPrincipal = (principal: Principal): readonly Limit[] => {
  if (!principal.rates) {
    return none;
  }
  let found = ofPrincipals.get(principal);
  if (!found) {
    const {org, project, key, rates} = principal;
    found = [
      ...limitsOf('organisation', org, rates.org),
      ...limitsOf('project', project, rates.project),
      ...limitsOf('key', key, rates.key),
    ];
    ofPrincipals.set(principal, found);
  }
  return found;
};

export const limitsOfModel = (model: ModelEntry): readonly Limit[] => {
  if (!model.rates) {
    return none;
  }
  let found = ofModels.get(model);
  if (!found) {
    found = limitsOf('model', model.id, model.rates);
    ofModels.set(model, found);
  }
  return found;
};

/** `tokens`: the most that the request can use. A request that can use none is not held up for want of them. */
export const usesOf = (limits: readonly Limit[], tokens: number): Use[] => {
  const uses: Use[] = [];
  for (const limit of limits) {
    const amount = limit.unit === 'tokens' ? tokens : 1;
    if (amount > 0) {
      uses.push({limit, amount});
    }
  }
  return uses;
};
