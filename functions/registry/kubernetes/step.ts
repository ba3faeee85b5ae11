/**
Step: what one look at an object makes of one model.

In: the model as it is, what the object says by now. Out: the model after it, what that is called, and whether its server is to be asked.
The same look again does nothing.
*/

import {isObject} from '../fields.ts';
import {applyFindings, type Endpoint, type Model} from '../model.ts';
import {refusalOf} from './join.ts';
import {differences, mergeClaim} from './merge.ts';
import type {Reading} from './read.ts';
import {judge, type Standing} from './standing.ts';

export type Looked = Exclude<Reading, {kind: 'unclear'}>;
export type Question = Readonly<{
  model: Model;
  endpoint: Endpoint;
  standing: Standing;
  /** It never answered: it may have come up this moment. */
  isNew: boolean;
}>;
export type Step = Readonly<{
  did: 'registered' | 'changed' | 'removed' | 'nothing';
  after: Model | undefined;
  /** False: what is stored is the same already. */
  isToSave: boolean;
  question?: Question;
  /** What of the claim does not count. */
  ignored: readonly string[];
  /** Why nothing of it does. */
  refused?: string;
}>;

export const stepOf = (
  before: Model | undefined,
  {
    ref,
    looked,
    thorough,
    at,
    newId,
  }: Readonly<{
    ref: string;
    /** Nothing, where the object says another model by now. */
    looked: Looked;
    /** Servers that run are asked although nothing has changed. */
    thorough: boolean;
    at: string;
    newId: () => string;
  }>,
): Step => {
  const refused = looked.kind === 'claim' ? refusalOf(before, looked.claim) : undefined;
  const claim = looked.kind === 'claim' && refused === undefined ? looked.claim : undefined;
  const rest = {ignored: [], ...(refused === undefined ? {} : {refused})};
  const had = before?.endpoints.some(({object}) => object?.ref === ref) ?? false;
  if (before && !claim && !had) {
    return {did: 'nothing', after: before, isToSave: false, ...rest};
  }
  const merged = mergeClaim(before, {ref, claim}, newId);
  if (!merged) {
    return {did: before ? 'removed' : 'nothing', after: undefined, isToSave: false, ...rest};
  }
  const own = claim && merged.endpoints.find(({object}) => object?.ref === ref);
  const {after, ask} =
    own && looked.kind === 'claim'
      ? judged(merged, own, {before, standing: looked.standing, thorough, at})
      : {after: merged, ask: false};
  return {
    did: didOf(before, after),
    after,
    isToSave: !before || text(before) !== text(after),
    ...(ask && own && looked.kind === 'claim'
      ? {
          question: {
            model: after,
            endpoint: own,
            standing: looked.standing,
            isNew: own.usage === null,
          },
        }
      : {}),
    ...rest,
    ...(claim ? {ignored: differences(after, claim)} : {}),
  };
};

const didOf = (before: Model | undefined, after: Model): Step['did'] => {
  if (!before) {
    return 'registered';
  }
  return said(before) === said(after)
    ? 'nothing'
    : after.endpoints.length === 0
      ? 'removed'
      : 'changed';
};

const judged = (
  merged: Model,
  own: Endpoint,
  {
    before,
    standing,
    thorough,
    at,
  }: Readonly<{before: Model | undefined; standing: Standing; thorough: boolean; at: string}>,
): Readonly<{after: Model; ask: boolean}> => {
  const known = before?.endpoints.find(({id}) => id === own.id);
  // What was found of another model on the same URL says nothing of this one.
  const {startSeconds} = merged;
  const {ask, finding} = judge(
    standing,
    known && {...known, usage: own.usage, health: own.health},
    {
      startSeconds,
      thorough,
    },
  );
  const isSaid =
    finding === undefined || (finding.health === own.health && finding.reason === own.healthReason);
  return {
    after: isSaid || !finding ? merged : applyFindings(merged, new Map([[own.id, finding]]), at),
    ask,
  };
};

/** Fields in one order: a model that was stored comes back in another. */
const text = (value: unknown) =>
  JSON.stringify(value, (_, part) =>
    typeof part === 'bigint'
      ? String(part)
      : isObject(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
        : part,
  );

/** What is told as a registration: not how endpoints are, nor what stands behind them. */
const said = ({endpoints, status: _status, ...model}: Model) =>
  text([
    model,
    endpoints
      .map(({id, url, upstreamModel, maxConcurrency}) => [id, url, upstreamModel, maxConcurrency])
      .sort(([, a], [, b]) => (String(a) < String(b) ? -1 : 1)),
  ]);
