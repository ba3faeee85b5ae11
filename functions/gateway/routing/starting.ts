/**
Starting: a model that scaled to zero, while it comes up.

In: how its endpoints are asked whether they are there. Out: the one that answered first, or that the model's time is over. Once a second
all are asked, however many requests wait: they also tell whoever scales the model that it is wanted. One start a model at a time; it ends
once, or is given up when nobody waits any more.
*/
import type {Ask} from './ask.ts';
import type {After} from './load-watch.ts';

export type Start = Readonly<{untilMs: number; giveUp(): void}>;

/** Whether an endpoint of this URL takes requests. */
export type ProbeStart = (url: string) => Promise<boolean>;

export const beginStart = <Endpoint extends Readonly<{url: string}>>({
  endpoints,
  probe,
  nowMs,
  after,
  startMs,
  everyMs = 1_000,
  onUp,
  onOver,
}: {
  /** As they are at the moment: one may come while others are waited for. */
  endpoints: () => readonly Endpoint[];
  probe: ProbeStart;
  nowMs: () => number;
  after: After;
  startMs: number;
  everyMs?: number;
  onUp: (endpoint: Endpoint) => void;
  onOver: () => void;
}): Start => {
  const untilMs = nowMs() + startMs;
  const asking = new Set<string>();
  let isDone = false;
  let cancel = () => {};

  const end = (tell?: () => void) => {
    if (!isDone) {
      isDone = true;
      cancel();
      tell?.();
    }
  };
  const look = async (endpoint: Endpoint) => {
    asking.add(endpoint.url);
    const isUp = await probe(endpoint.url).catch(() => false);
    asking.delete(endpoint.url);
    if (isUp) {
      end(() => onUp(endpoint));
    }
  };
  const round = () => {
    if (nowMs() >= untilMs) {
      end(onOver);
      return;
    }
    cancel = after(Math.min(everyMs, untilMs - nowMs()), round);
    for (const endpoint of endpoints()) {
      // One that holds the question until it has started is not asked a second time meanwhile.
      if (!asking.has(endpoint.url)) {
        void look(endpoint);
      }
    }
  };
  // Not at once: who begins a start is not told of its end before it knows that it began.
  cancel = after(0, round);
  return {untilMs, giveUp: () => end()};
};

/**
Whether a model server is behind a URL. Its own refusal is an answer too; a 404 is one only as JSON, because gateways in front of
clusters say 404 in other words while nothing is behind them.
*/
export const probeBy =
  (ask: Ask): ProbeStart =>
  async url => {
    const answer = await ask(`${url}/v1/models`);
    if (!answer) {
      return false;
    }
    const {status, contentType} = answer;
    return (
      (status >= 200 && status < 300) ||
      [401, 403, 405].includes(status) ||
      (status === 404 && contentType.includes('application/json'))
    );
  };
