/**
Restarts: how long a program that crashed waits for its next start.

In: how often it crashed in a row, how long it ran this time. Out: the new count, the wait. The wait doubles from `minMs` to
`maxMs`; a life of `healthyMs` has recovered and begins the row again.
*/
export type RestartRules = Readonly<{minMs: number; maxMs: number; healthyMs: number}>;

export const afterCrash = (
  {crashes, ranMs}: Readonly<{crashes: number; ranMs: number}>,
  {minMs, maxMs, healthyMs}: RestartRules,
): Readonly<{crashes: number; waitMs: number}> => {
  const row = ranMs > healthyMs ? 1 : crashes + 1;
  return {crashes: row, waitMs: Math.min(minMs * 2 ** (row - 1), maxMs)};
};
