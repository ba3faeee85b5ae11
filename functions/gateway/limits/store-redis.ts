/**
Limits in Redis: an exchange is one script, `exchange.lua`, for at most so many limits that Redis stays free for others.

In: how to connect. Out: the port. The connection is made at once, so that no request waits for it. Whatever Redis does not answer
is an error; who asked says what then. All keys have one hash tag, so on a Redis Cluster all limits are in one of its slots.
*/
import {readFileSync} from 'node:fs';
import type {Redis} from 'ioredis';
import {type ConnectRedis, ready} from '../../../events/redis.ts';
import type {Answer, Ask} from './bucket.ts';
import {type Exchanged, type LimitStore, type Lives, lives as usual} from './store.ts';

const lua = readFileSync(new URL('exchange.lua', import.meta.url), 'utf8');

type WithScript = Redis & {
  exchangeLimits(keys: number, ...values: (string | number)[]): Promise<number[]>;
};

export const createRedisLimits = ({
  redis,
  gateway,
  prefix = 'sluice:',
  lives = usual,
  nowMs,
  connectMs = 200,
  asksMax = 200,
}: {
  redis: ConnectRedis;
  gateway: string;
  prefix?: string;
  lives?: Lives;
  /** Instead of Redis's own clock. */
  nowMs?: () => number;
  /** Less than what who asks waits: what was given up must not be sent later. */
  connectMs?: number;
  /** Limits in one run of the script. */
  asksMax?: number;
}): LimitStore => {
  const connecting = redis().then(client => {
    client.defineCommand('exchangeLimits', {lua});
    return client as WithScript;
  });
  connecting.catch(() => {});
  const keyOf = (name: string) => `${prefix}{limits}:${name}`;

  const exchangeSome = async (
    client: WithScript,
    asks: readonly Ask[],
    gateways: number,
  ): Promise<Exchanged> => {
    const found = await client.exchangeLimits(
      asks.length + 1,
      keyOf('gateways'),
      ...asks.map(({limit}) => keyOf(limit)),
      gateway,
      nowMs ? nowMs() : '',
      gateways,
      lives.permitMs,
      lives.slotMs,
      lives.gatewayMs,
      ...asks.flatMap(valuesOf),
    );
    const answers = asks.map((_, index): Answer => {
      const [kept, granted, level] = found.slice(1 + index * 3, 4 + index * 3) as [
        number,
        number,
        number,
      ];
      return {kept, granted, level: level / 1_000};
    });
    return {answers, gateways: found[0] as number};
  };

  return {
    async exchange(asks, gateways) {
      const client = await connecting;
      await ready(client, connectMs);
      const parts: Exchanged[] = [];
      for (let from = 0; from === 0 || from < asks.length; from += asksMax) {
        parts.push(await exchangeSome(client, asks.slice(from, from + asksMax), gateways));
      }
      return {
        answers: parts.flatMap(({answers}) => answers),
        gateways: (parts.at(-1) as Exchanged).gateways,
      };
    },
    async close() {
      (await connecting.catch(() => undefined))?.disconnect();
    },
  };
};

const valuesOf = (ask: Ask) => [
  ask.kind === 'minute' ? 'm' : 'p',
  ask.capacity,
  ask.kept,
  ask.released,
  ask.given,
  ask.needed,
  ask.least,
  ask.max,
  ask.level.toFixed(3),
];
