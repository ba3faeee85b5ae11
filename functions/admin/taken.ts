/** Taken: turns the database's word for a name that is there already into ours. */
import {SluiceError} from '../../events/errors.ts';

const uniqueViolation = '23505';

export const refuseTaken =
  (message: string) =>
  (error: unknown): never => {
    if ((error as {code?: unknown}).code === uniqueViolation) {
      throw new SluiceError('conflict', message, {parameter: 'name', cause: error});
    }
    throw error;
  };
