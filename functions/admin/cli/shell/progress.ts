/**
Progress: says on standard error that something takes a while, where a person looks at it.

In: a text, the work. Out: the work's result. The line shows after a second and is gone when the work ends.
*/
export type Progress = <Result>(text: string, work: () => Promise<Result>) => Promise<Result>;

export const noProgress: Progress = (_text, work) => work();

export const createProgress = ({
  write,
  afterMs = 1_000,
  everyMs = 1_000,
  now = Date.now,
}: {
  /** To a terminal. */
  write: (text: string) => void;
  afterMs?: number;
  everyMs?: number;
  now?: () => number;
}): Progress =>
  async function progress(text, work) {
    const began = now();
    let isShown = false;
    const show = () => {
      isShown = true;
      write(`\r\u001b[K${text} (${Math.round((now() - began) / 1_000)} s)`);
    };
    let every: NodeJS.Timeout | undefined;
    const first = setTimeout(() => {
      show();
      every = setInterval(show, everyMs);
    }, afterMs);
    try {
      return await work();
    } finally {
      clearTimeout(first);
      clearInterval(every);
      if (isShown) {
        write('\r\u001b[K');
      }
    }
  };
