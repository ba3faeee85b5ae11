/**
Problems: what can keep a start from succeeding, said in words that name the way out.

A StartError is printed as it stands and ends the start with status 1; anything else is a fault of ours and comes with its
stack.
*/
export class StartError extends Error {
  override readonly name = 'StartError';
}

const diskProblems: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on its disk: free some, or choose another with --data',
  EDQUOT: 'the disk quota is used up: free some space, or choose another with --data',
  EROFS: 'its disk is read-only: choose another with --data',
  EACCES: 'it is not writable: choose another with --data',
  EPERM: 'it is not writable: choose another with --data',
  ENOENT: 'no folder can be made there: choose another with --data',
  ENOTDIR: 'a part of the path is a file: choose another with --data',
  EEXIST: 'it is a file: choose another with --data',
  EIO: 'its disk does not answer properly',
};

/** What a failed write to the data folder means; undefined when it is none of the disk's faults. */
export const diskProblem = (folder: string, error: unknown): StartError | undefined => {
  const problem = diskProblems[(error as NodeJS.ErrnoException)?.code ?? ''];
  return problem === undefined
    ? undefined
    : new StartError(`cannot keep data in ${folder}: ${problem}`, {cause: error});
};

export const explainDiskError = async <Result>(folder: string, work: () => Promise<Result>) => {
  try {
    return await work();
  } catch (error) {
    throw diskProblem(folder, error) ?? error;
  }
};

export const portProblem = (port: number, host: string, error: unknown): StartError | undefined => {
  const problems: Readonly<Record<string, string>> = {
    EADDRINUSE: `port ${port} is in use: choose another with --port`,
    EACCES: `port ${port} may not be used by this user: choose another with --port`,
    EADDRNOTAVAIL: `${host} is no address of this machine: choose another with --host`,
    ENOTFOUND: `${host} is no address: choose another with --host`,
  };
  const problem = problems[(error as NodeJS.ErrnoException)?.code ?? ''];
  return problem === undefined ? undefined : new StartError(problem, {cause: error});
};
