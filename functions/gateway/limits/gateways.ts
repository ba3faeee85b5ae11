/**
Gateways: how many there are, asked for now and then.

In: who knows it. Out: the last answer, one at first. A process that has no budgets asks the leases' store for nothing else, and the
others would not count it.
*/
export const countGateways = ({
  ask,
  everyMs,
  onError = () => {},
}: {
  ask: () => Promise<number>;
  everyMs: number;
  onError?: (error: Error) => void;
}) => {
  let count = 1;
  const look = () =>
    ask().then(found => {
      count = Math.max(found, 1);
    }, onError);
  void look();
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();
  return {
    count: () => count,
    close: () => clearInterval(timer),
  };
};
