/**
Claims in Redis: one string a claim, which Redis forgets by itself when it runs out.

In: how to connect. Out: the port. The connection is made for the first claim, so that a gateway that nobody sends an
Idempotency-Key pays nothing for it. Whatever Redis does not answer in time is an error; who asked says what then.

A value is a letter (R runs, F has finished, K finished and its result is kept), the fence, the body's hash, the result.
Redis 7.0 commands: SET with NX and GET.
*/
import type {Redis} from 'ioredis';
import {type ConnectRedis, ready} from '../../../events/redis.ts';
import type {ClaimStore, Found} from './claim.ts';

const fenceLength = 36;
const hashLength = 64;
const headLength = 1 + fenceLength + hashLength;

/** KEYS[1] the claim; ARGV[1] what it must begin with, ARGV[2] its value from now on, ARGV[3] for how many ms. */
const finishScript = `
  if redis.call('GETRANGE', KEYS[1], 0, ${fenceLength}) ~= ARGV[1] then return 0 end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1`;

/** KEYS[1] the claim; ARGV[1] what it must begin with. */
const releaseScript = `
  if redis.call('GETRANGE', KEYS[1], 0, ${fenceLength}) ~= ARGV[1] then return 0 end
  return redis.call('DEL', KEYS[1])`;

export const createRedisClaims = ({
  redis,
  prefix = 'sluice:',
  connectMs = 2_000,
}: {
  redis: ConnectRedis;
  prefix?: string;
  /** What a claim waits for a connection. */
  connectMs?: number;
}): ClaimStore => {
  let connecting: Promise<Redis> | undefined;
  let waiting: Promise<void> | undefined;
  const connected = async () => {
    connecting ??= redis();
    const client = await connecting;
    if (client.status !== 'ready') {
      // One wait for all.
      waiting ??= ready(client, connectMs).finally(() => {
        waiting = undefined;
      });
      await waiting;
    }
    return client;
  };
  const keyOf = (id: string) => `${prefix}idempotency:${id}`;

  return {
    async take({id, fence, hash, holdMs}) {
      const client = await connected();
      const before = (await client.callBuffer(
        'SET',
        keyOf(id),
        `R${fence}${hash}`,
        'PX',
        Math.ceil(holdMs),
        'NX',
        'GET',
      )) as Buffer | null;
      return before ? readValue(before) : {state: 'taken'};
    },
    async finish({id, fence, hash, result, keepMs}) {
      const client = await connected();
      const head = `${result ? 'K' : 'F'}${fence}${hash}`;
      const value = result ? Buffer.concat([Buffer.from(head), result]) : head;
      return (
        (await client.eval(finishScript, 1, keyOf(id), `R${fence}`, value, Math.ceil(keepMs))) === 1
      );
    },
    async release({id, fence}) {
      const client = await connected();
      return (await client.eval(releaseScript, 1, keyOf(id), `R${fence}`)) === 1;
    },
    async close() {
      (await connecting?.catch(() => undefined))?.disconnect();
    },
  };
};

const readValue = (value: Buffer): Found => {
  const letter = value.toString('latin1', 0, 1);
  const hash = value.toString('latin1', 1 + fenceLength, headLength);
  if (letter === 'R') {
    return {state: 'running', hash};
  }
  return {state: 'finished', hash, result: letter === 'K' ? value.subarray(headLength) : undefined};
};
