/** Deadline: nobody waits longer than this for somebody else. In: work, a bound. Out: its result, or an error at the bound. */
export const withDeadline = <Result>(
  work: Promise<Result>,
  timeoutMs: number,
  message: string,
): Promise<Result> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const tell = () => reject(new Error(`${message} within ${timeoutMs} ms`));
    // One more turn: in a process that lagged, the answer may be there and only not read yet.
    timer = setTimeout(() => setImmediate(tell), timeoutMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
};
