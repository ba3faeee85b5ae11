/**
Unbounded: what a model server would do by itself and as often as the model likes, so that nobody can say what it costs.

In: a body's members. Out: a refusal that names the one.
*/
import {SluiceError} from '../../../events/errors.ts';
import {bad, type Fields, isObject} from './fields.ts';

const unbounded = (message: string, parameter: string) =>
  new SluiceError('unbounded_request', message, {parameter});

/** `types`: of tools that the client runs. */
export const checkTools = ({tools}: Fields, types: readonly unknown[]) => {
  if (tools === undefined || tools === null) {
    return;
  }
  if (!Array.isArray(tools) || !tools.every(isObject)) {
    throw bad('tools are a list of objects', 'tools');
  }
  if (!tools.every(({type}) => types.includes(type))) {
    throw unbounded('tools are functions that the client runs: others have no bound', 'tools');
  }
};

export const checkUnbounded = (value: Fields, names: readonly string[]) => {
  for (const name of names) {
    if ((value[name] ?? null) !== null) {
      throw unbounded(`${name} is not taken: what it costs has no bound`, name);
    }
  }
};
