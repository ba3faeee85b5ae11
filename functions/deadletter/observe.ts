/**
Observe: how many dead letters came, and how many wait.

Others store letters too (the runner, sources, batch functions), so what waits is counted in the table: after each change here
and every while, which keeps no process from ending.
*/
import type {Metrics} from '../../events/metrics.ts';

export const observeLetters = ({
  metrics,
  countWaiting,
  onError,
  everyMs = 15_000,
}: {
  metrics: Metrics;
  countWaiting: () => Promise<number>;
  onError: (error: Error) => void;
  everyMs?: number;
}) => {
  const came = metrics.counter(
    'sluice_dead_letters_total',
    'Dead letters that came to the sink and were not there before, by subscription.',
  );
  const waiting = metrics.gauge(
    'sluice_dead_letters_waiting',
    'Dead letters, whoever stored them, that are neither redriven nor dropped.',
  );
  let counting = Promise.resolve();
  const count = () => {
    counting = counting.then(async () => waiting().set(await countWaiting())).catch(onError);
  };
  const timer = setInterval(count, everyMs);
  timer.unref();
  count();
  return {
    onStored({subscription}: {subscription: string}) {
      came({subscription}).add();
      count();
    },
    onChanged: count,
    async close() {
      clearInterval(timer);
      await counting;
    },
  };
};
