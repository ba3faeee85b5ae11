/**
Load: requests at a steady rate over several gateways and many keys, in a process of its own.

In: over the channel, a plan, marks, a stop. Out: at a mark, what came of the requests since the last one. Which key asks is
drawn by Zipf's law from a seeded source, so that two runs ask the same; which gateway answers goes round.
*/
import {Pool} from 'undici';
import {createDraw} from './draw.ts';

export type Plan = Readonly<{
  urls: readonly string[];
  keys: readonly string[];
  /** Of Zipf's law: key number k asks k^-exponent times as often as the first. */
  exponent: number;
  seed: number;
  /** Requests a second, of all gateways together. */
  rate: number;
  connections: number;
  body: string;
}>;
export type Command =
  /** Every key once at every gateway, so that the caches know all of them. */
  | Readonly<{kind: 'warm'; plan: Plan; inFlight: number}>
  | Readonly<{kind: 'start'; plan: Plan}>
  | Readonly<{kind: 'mark'}>
  | Readonly<{kind: 'stop'}>;
export type Count = {sent: number; statuses: Record<string, number>; latenciesMs: number[]};

const path = '/v1/chat/completions';
const fresh = (): Count => ({sent: 0, statuses: {}, latenciesMs: []});
let count = fresh();
let running: {stop(): Promise<void>} | undefined;

const createCaller = ({urls, body, connections}: Plan) => {
  const pools = urls.map(url => new Pool(url, {connections, pipelining: 1}));
  const call = (gateway: number, key: string) =>
    new Promise<void>(resolve => {
      const startedMs = performance.now();
      count.sent += 1;
      const end = (status: string) => {
        count.statuses[status] = (count.statuses[status] ?? 0) + 1;
        count.latenciesMs.push(performance.now() - startedMs);
        resolve();
      };
      let status = 0;
      const headers = {authorization: `Bearer ${key}`, 'content-type': 'application/json'};
      (pools[gateway % pools.length] as Pool).dispatch(
        {method: 'POST', path, headers, body},
        {
          onRequestStart() {},
          onResponseStart(_controller, code) {
            status = code;
          },
          onResponseData() {},
          onResponseEnd: () => end(String(status)),
          onResponseError: (_controller, error) => end(error.message),
        },
      );
    });
  return {call, close: () => Promise.all(pools.map(pool => pool.close()))};
};

const warm = async (plan: Plan, inFlight: number) => {
  const {call, close} = createCaller(plan);
  let next = 0;
  const worker = async () => {
    for (; next < plan.keys.length * plan.urls.length; ) {
      const index = next++;
      await call(index, plan.keys[Math.floor(index / plan.urls.length)] as string);
    }
  };
  await Promise.all(Array.from({length: inFlight}, worker));
  await close();
};

const start = (plan: Plan) => {
  const {call, close} = createCaller(plan);
  const draw = createDraw(plan.keys.length, plan.exponent, plan.seed);
  const startedMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = ((performance.now() - startedMs) * plan.rate) / 1_000; sent < due; sent++) {
      void call(sent, plan.keys[draw()] as string);
    }
  }, 1);
  return {
    async stop() {
      clearInterval(timer);
      await close();
    },
  };
};

const answer = async (command: Command) => {
  switch (command.kind) {
    case 'warm':
      await warm(command.plan, command.inFlight);
      return count;
    case 'start':
      running = start(command.plan);
      return {};
    case 'mark':
      return count;
    case 'stop':
      await running?.stop();
      return {};
  }
};

process.on('message', async (command: Command) => {
  process.send?.(await answer(command));
  if (command.kind !== 'start') {
    count = fresh();
  }
});
process.once('disconnect', () => process.exit(0));
process.send?.({listening: 0});
