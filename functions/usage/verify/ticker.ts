/**
Ticker: looks at the model servers now and then while there is usage, so that `verify` has something to compare with.

After a batch, not more often than `everyMs`, and never waited for: a model server that hangs holds up no usage. Without
batches nothing runs on the servers, and the next look counts it all the same. A failure is reported, not thrown.
*/
export const createTicker = ({
  look,
  everyMs = 900_000,
  now = () => performance.now(),
  onError = () => {},
}: {
  look: () => Promise<unknown>;
  everyMs?: number;
  now?: () => number;
  onError?: (error: Error) => void;
}) => {
  let last = Number.NEGATIVE_INFINITY;
  let running: Promise<unknown> | undefined;
  return {
    afterBatch() {
      if (!running && now() - last >= everyMs) {
        last = now();
        running = look()
          .catch(onError)
          .finally(() => {
            running = undefined;
          });
      }
    },
    /** Done when no look is under way. */
    async close() {
      await running;
    },
  };
};
