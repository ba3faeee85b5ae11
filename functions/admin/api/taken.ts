/** Taken: turns the database's words for a name that is there already, and for what is another's, into ours. */
import {SluiceError} from '../../../events/errors.ts';

const uniqueViolation = '23505';
const foreignKeyViolation = '23503';

export const refuseTaken =
  (message: string, parameter = 'name') =>
  (error: unknown): never => {
    if ((error as {code?: unknown}).code === uniqueViolation) {
      throw new SluiceError('conflict', message, {parameter, cause: error});
    }
    throw error;
  };

/** Foreign keys to projects carry the organisation: what is there but another's is not there. */
export const refuseForeignProject =
  (project: string | undefined) =>
  (error: unknown): never => {
    if (project !== undefined && (error as {code?: unknown}).code === foreignKeyViolation) {
      throw new SluiceError('not_found', `the organisation has no project ${project}`, {
        parameter: 'project',
        cause: error,
      });
    }
    throw error;
  };
