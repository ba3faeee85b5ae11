/**
Pace: when the next token comes.

In: a number of steps, the delays, what to do at a step and at the end. Out: calls of `emit` and `done`; a cancel.
With a delay each step waits for its own `setTimeout`. Node keeps all timers of one duration in one list behind a single
timer of the system, so hundreds of streams at one pace cost one wake-up for those that are due together. Without a delay
the steps come in bursts with the event loop's turn between them, so that a disconnect is noticed within a burst.
*/
const burstSteps = 32;

export type Pace = Readonly<{
  steps: number;
  firstDelayMs: number;
  /** Asked before every step: a change of the server's pace reaches the streams that run. */
  delayMs: () => number;
  /** False ends the pace here, without `done`. */
  emit: (step: number) => boolean;
  /** Calls `resume` and answers true when the client does not keep up; a model that is not read from stops. */
  blocked: (resume: () => void) => boolean;
  done: () => void;
}>;

export const startPace = ({steps, firstDelayMs, delayMs, emit, blocked, done}: Pace) => {
  let step = 0;
  let cancelled = false;
  let timer: NodeJS.Timeout | undefined;

  const later = () => {
    const delay = delayMs();
    if (delay > 0) timer = setTimeout(run, delay);
    else setImmediate(run);
  };
  const run = () => {
    const last = Math.min(steps, step + (delayMs() > 0 ? 1 : burstSteps));
    while (step < last && !cancelled) cancelled = !emit(step++);
    if (cancelled) return;
    if (step >= steps) done();
    else if (!blocked(later)) later();
  };
  if (firstDelayMs > 0) timer = setTimeout(run, firstDelayMs);
  else run();

  return function cancel() {
    cancelled = true;
    clearTimeout(timer);
  };
};
