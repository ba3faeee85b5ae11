/**
Waiting: those who stand before a gate, in the order in which they came.

In: how long each may wait, how it is let in. Out: its place, or why it has none: its time was up (`late`), it went away
(`left`), or all were sent away.
*/
type Waiter<Reason> = Readonly<{enter(): void; refuse(reason: Reason): void}>;

export const createWaiting = <Place, Reason extends string>() => {
  const waiters = new Set<Waiter<Reason | 'late' | 'left'>>();
  let onEmpty = () => {};

  return {
    size: () => waiters.size,

    /** `enter` makes the place, in the moment in which it is given. */
    wait: ({
      enter,
      leftMs,
      signal,
    }: {
      enter: () => Place;
      leftMs: number;
      signal: AbortSignal | undefined;
    }) =>
      new Promise<Place | Reason | 'late' | 'left'>(resolve => {
        const leave = () => waiter.refuse('left');
        const timer = setTimeout(() => waiter.refuse('late'), Math.max(1, leftMs));
        const forget = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', leave);
          waiters.delete(waiter);
          if (waiters.size === 0) {
            onEmpty();
          }
        };
        const waiter: Waiter<Reason | 'late' | 'left'> = {
          enter() {
            // Before it is forgotten: in between nobody may look and find nobody.
            resolve(enter());
            forget();
          },
          refuse(reason) {
            forget();
            resolve(reason);
          },
        };
        signal?.addEventListener('abort', leave, {once: true});
        waiters.add(waiter);
      }),

    /** As many as there is room for. */
    letIn(hasRoom: () => boolean) {
      for (const waiter of waiters) {
        if (!hasRoom()) {
          return;
        }
        waiter.enter();
      }
    },

    refuseAll(reason: Reason) {
      for (const waiter of waiters) {
        waiter.refuse(reason);
      }
    },

    /** Resolves when nobody waits. */
    async emptied(): Promise<void> {
      if (waiters.size > 0) {
        await new Promise<void>(resolve => {
          onEmpty = resolve;
        });
      }
    },
  };
};
