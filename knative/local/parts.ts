/**
Parts: what a start has begun and an end must undo, in the reverse order, whatever happened in between.
*/
export type Part = Readonly<{
  name: string;
  /** Gently: what it has in hand ends first. */
  stop(): Promise<void> | void;
  /** At once; `stop` then resolves soon. */
  kill?(): void;
}>;

export const createParts = (onError: (name: string, error: Error) => void) => {
  const parts: Part[] = [];
  let draining: Promise<void> | undefined;

  const drain = async () => {
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      current = part;
      try {
        await part.stop();
      } catch (error) {
        onError(part.name, error as Error);
      }
    }
  };
  let current: Part | undefined;

  return {
    add(part: Part) {
      parts.push(part);
    },
    drain() {
      draining ??= drain();
      return draining;
    },
    kill() {
      for (const part of [...parts, current]) {
        part?.kill?.();
      }
    },
  };
};

export type Parts = ReturnType<typeof createParts>;

/** All of them, also when one fails: what still runs when the end begins would be missed by it. */
export const settleAll = async <Values extends readonly unknown[]>(
  promises: readonly [...{[Index in keyof Values]: Promise<Values[Index]>}],
): Promise<Values> => {
  const results = await Promise.allSettled(promises);
  const failed = (results as PromiseSettledResult<unknown>[]).find(
    result => result.status === 'rejected',
  );
  if (failed) {
    throw failed.reason;
  }
  return results.map(
    result => (result as PromiseFulfilledResult<unknown>).value,
  ) as unknown as Values;
};
