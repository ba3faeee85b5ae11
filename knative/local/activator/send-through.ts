/**
Send through: one request of a sender that is patient for `timeoutMs`, through the gate of a function.

In: the way in, the function, the time that both waiting and sending may take, and what sends. Out: what was sent brought, or
why nothing was sent. However it ends, the place inside is given back.
*/
import type {Entered, Refused} from './gate.ts';
import type {Enter} from './gates.ts';

export const sendThrough = async <Result>({
  enter,
  functionName,
  timeoutMs,
  send,
}: {
  enter: Enter;
  functionName: string;
  timeoutMs: number;
  send: (to: {entry: Entered; timeoutMs: number}) => Promise<Result>;
}): Promise<Result | Refused> => {
  const startedMs = performance.now();
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), Math.min(timeoutMs, longestTimerMs));
  const entry = await enter(functionName, {signal: patience.signal});
  clearTimeout(timer);
  if (entry.kind === 'refused') {
    return entry;
  }
  try {
    const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs));
    return await send({entry, timeoutMs: Math.ceil(Math.min(leftMs, entry.leftMs()))});
  } finally {
    entry.release();
  }
};

const longestTimerMs = 2 ** 31 - 1;
