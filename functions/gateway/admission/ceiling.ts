/**
Ceiling: the most tokens that one answer may have, whatever the client asks for. The model, the project and the key may each have one;
the smallest counts. Pure.

In: a request, its ceiling. Out: nothing, or a refusal that names it: an answer that is silently cut would look like the model's own end.
Where the client names no maximum, the default is lowered to it instead.
*/
import {SluiceError} from '../../../events/errors.ts';
import type {Principal} from '../../auth/principal.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import type {Operation} from './operation.ts';

/** Undefined: only the context bounds it. */
export const ceilingOf = (
  {maxOutputTokens: ofCaller}: Pick<Principal, 'maxOutputTokens'>,
  {maxOutputTokens: ofModel}: Pick<ModelEntry, 'maxOutputTokens'>,
): number | undefined =>
  ofCaller === undefined || ofModel === undefined
    ? (ofCaller ?? ofModel)
    : Math.min(ofCaller, ofModel);

const tooLarge = (parameter: string, ceiling: number) =>
  new SluiceError(
    'max_tokens_too_large',
    `${parameter} is over what this key may ask of this model: ${ceiling}`,
    {parameter},
  );

export const checkCeiling = (operation: Operation, ceiling: number | undefined) => {
  if (ceiling === undefined || operation.copies === 0) {
    return;
  }
  const {form, members, maxTokens, minTokens} = operation;
  if (maxTokens !== undefined && maxTokens > ceiling) {
    const named = form.maxima.find(name => members.some(({key}) => key === name));
    throw tooLarge(named ?? 'max_tokens', ceiling);
  }
  if (minTokens > ceiling) {
    throw tooLarge('min_tokens', ceiling);
  }
};
