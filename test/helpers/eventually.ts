/**
Eventually: waits for a condition instead of for a time.

In: an assertion of `node:assert` that throws until it holds (one of AVA's would fail the test at its first try). Out: what it returned; after `timeoutMs`, the last error it threw. The usual limit is no promise of any part, but
what a machine with much other work may take.
*/
import {setTimeout as wait} from 'node:timers/promises';

export const eventually = async <Value>(
  assertion: () => Value | Promise<Value>,
  {timeoutMs = 30_000, intervalMs = 20}: {timeoutMs?: number; intervalMs?: number} = {},
): Promise<Value> => {
  const end = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > end) {
        throw new Error(`not true within ${timeoutMs} ms: ${(error as Error).message ?? error}`, {
          cause: error,
        });
      }
    }
    await wait(intervalMs);
  }
};
