/**
Unplaced: what a client is told whose request found no endpoint. In: why, and when to come again. Out: an error that its
library tries again after.
*/
import {type ErrorCode, SluiceError} from '../../../events/errors.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import type {Unplaced} from '../routing/router.ts';

const told: Readonly<Record<Unplaced['why'], Readonly<{code: ErrorCode; says: string}>>> = {
  no_endpoint: {code: 'unavailable', says: 'has no endpoint that can be reached'},
  not_started: {code: 'unavailable', says: 'did not start in its time'},
  saturated: {code: 'model_saturated', says: 'is busy, and so is its queue'},
  late: {code: 'model_saturated', says: 'is busy for longer than this request may take'},
};

/** It was taken away, or made anew, while a request waited for it. */
export const gone = ({name}: Pick<ModelEntry, 'name'>): SluiceError =>
  new SluiceError('model_not_found', `the model ${name} was taken away`, {parameter: 'model'});

export const unplacedError = (
  {name}: Pick<ModelEntry, 'name'>,
  {why, retryAfterSeconds}: Unplaced,
): SluiceError =>
  new SluiceError(told[why].code, `the model ${name} ${told[why].says}`, {retryAfterSeconds});
