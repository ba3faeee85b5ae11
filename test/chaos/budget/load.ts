/**
Load: a thousand clients at once, each asking one thing after the other, again where it is told to come again.

In: where the gateways are, chance, when it is over. Out: every outcome but those of connections that nobody answered; how many
requests are being answered, by gateway. A client that is told that the budget is spent (402) is done.
*/
import {Agent} from 'node:http';
import {setTimeout as wait} from 'node:timers/promises';
import {type Ask, createAsks} from './asks.ts';
import {callGateway, type Outcome} from './call.ts';

const rampMs = 2_000;
const againMs = [300, 900] as const;
const conflictsMax = 4;

export type Load = ReturnType<typeof startLoad>;

export const startLoad = ({
  urls,
  apiKey,
  clients,
  random,
  names,
}: {
  urls: readonly string[];
  apiKey: string;
  clients: number;
  random: () => number;
  names?: readonly string[];
}) => {
  const nextAsk = createAsks(random, names);
  const agents = urls.map(() => new Agent({keepAlive: true, maxSockets: clients}));
  const outcomes: Outcome[] = [];
  /** Requests of which a byte has come, and that have not ended. */
  const open = urls.map(() => new Set<string>());
  let asking = 0;
  let most = 0;
  let done = 0;
  let unanswered = 0;
  let isOver = false;

  const send = async (ask: Ask) => {
    const target = Math.floor(random() * urls.length);
    asking += 1;
    most = Math.max(most, asking);
    const outcome = await callGateway({
      url: urls[target] as string,
      agent: agents[target] as Agent,
      target,
      apiKey,
      ask,
      onFirstByte: request => open[target]?.add(request),
      onEnd: request => open[target]?.delete(request),
    });
    asking -= 1;
    if (outcome.status === 0) {
      unanswered += 1;
    } else {
      outcomes.push(outcome);
    }
    return outcome;
  };

  const pause = (leastMs: number = againMs[0]) =>
    wait(leastMs + random() * (againMs[1] - againMs[0]));

  /** Until it is answered for good, or there is no sense in coming again. */
  const insist = async (ask: Ask): Promise<'answered' | 'spent'> => {
    for (let conflicts = 0; !isOver; ) {
      const {status, retryAfterMs} = await send(ask);
      if (status === 402) {
        return 'spent';
      }
      conflicts += status === 409 ? 1 : 0;
      const comesAgain =
        [0, 429, 503].includes(status) || (status === 409 && conflicts < conflictsMax);
      if (!comesAgain) {
        return 'answered';
      }
      await pause(Math.max(retryAfterMs * 0.5, againMs[0]));
    }
    return 'answered';
  };

  const client = async () => {
    await wait(random() * rampMs);
    while (!isOver) {
      const ask = nextAsk();
      const asked = [insist(ask)];
      if (ask.kind === 'twice') {
        asked.push(pause(0).then(() => insist(ask)));
      }
      if ((await Promise.all(asked)).includes('spent')) {
        done += 1;
        return;
      }
    }
  };

  const running = Promise.all(Array.from({length: clients}, client));
  return {
    outcomes: outcomes as readonly Outcome[],
    open: open as readonly ReadonlySet<string>[],
    /** Clients that were told that the budget is spent. */
    done: () => done,
    asking: () => asking,
    /** Requests at once, at most. */
    most: () => most,
    unanswered: () => unanswered,
    async stop() {
      isOver = true;
      await running;
      for (const agent of agents) {
        agent.destroy();
      }
    },
  };
};
