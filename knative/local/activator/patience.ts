/**
Patience: how long an answer may take, as the timeout handler of Knative's queue-proxy has it.

In: what is left of `timeoutSeconds`, `responseStartTimeoutSeconds` and `idleTimeoutSeconds`; each byte as it comes. Out: one
call of `onLate`, with what was too late, when the first of them is over. The total is counted from entering the gate, the
start from sending, the pause from the byte before.
*/
export type Patience = Readonly<{
  /** A byte of the answer, its head included, has come. */
  heard(): void;
  end(): void;
}>;

export const watchAnswer = ({
  leftMs,
  responseStartMs,
  idleMs,
  onLate,
}: {
  leftMs: number;
  responseStartMs?: number | undefined;
  idleMs?: number | undefined;
  onLate: (what: string) => void;
}): Patience => {
  const after = (ms: number | undefined, what: string) =>
    ms === undefined ? undefined : setTimeout(late, ms, what);
  const late = (what: string) => {
    end();
    onLate(what);
  };
  const end = () => {
    for (const timer of [total, start, pause]) {
      clearTimeout(timer);
    }
  };
  const total = after(leftMs, 'did not answer in time');
  const start = after(responseStartMs, 'did not begin to answer in time');
  const pause = after(idleMs, 'paused for too long');
  return {
    heard() {
      clearTimeout(start);
      pause?.refresh();
    },
    end,
  };
};
