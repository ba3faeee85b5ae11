/** Service failed: what a run cannot go on without did not start; its message is for a person, as it stands. */
export class ServiceFailed extends Error {
  override readonly name = 'ServiceFailed';
}

/** What a person is told of an error: its sentence where somebody wrote one, else its stack. */
export const wordsOf = (error: unknown): string => {
  const {message, stack} = error as Error;
  return error instanceof ServiceFailed ? message : (stack ?? String(error));
};
