/** Redis away: keys hold per process, nobody waits for it for long, it is said, and it is over by itself. */
import assert from 'node:assert/strict';
import test from 'ava';
import {openAwayWorld} from '../helpers/away-world.ts';
import {eventually} from '../helpers/eventually.ts';
import {startRedis} from '../helpers/redis.ts';

/** It takes 2 s to find out; a busy machine adds to that. */
const foundMs = 10_000;
/** Less than any of the waits. A busy machine may miss it once, who waits misses it always. */
const atOnceMs = 1_500;

test('Redis frozen, then killed: requests go on with keys of the process, and it is shared again when it is back', async t => {
  t.timeout(240_000);
  const redis = await startRedis(t);
  const world = await openAwayWorld(t, {withKafka: false, env: {REDIS_URL: redis.url}});
  const {url, keys, inStates, metric} = world;
  const ask = async (key: string, withinMs: number, maxTokens = 2) => {
    const began = performance.now();
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: {authorization: `Bearer ${keys.free}`, 'idempotency-key': key},
      body: JSON.stringify({
        model: 'simulated-chat',
        max_tokens: maxTokens,
        messages: [{role: 'user', content: 'Say something.'}],
      }),
    });
    await response.text();
    const tookMs = performance.now() - began;
    assert.ok(tookMs < withinMs, `${response.status} after ${Math.round(tookMs)} ms`);
    return response.status;
  };
  t.is(await ask('before', 30_000), 200);
  await inStates([], 200);

  const away = [
    {
      begin: () => process.kill(redis.pid(), 'SIGSTOP'),
      end: () => process.kill(redis.pid(), 'SIGCONT'),
    },
    {begin: redis.kill, end: redis.start},
  ];
  for (const [turn, {begin, end}] of away.entries()) {
    await begin();
    t.is(await ask(`first ${turn}`, foundMs), 200);
    await inStates(['claims-per-process'], 200);
    t.is(await metric('sluice_idempotency_per_process'), 1);
    let rounds = 0;
    await eventually(async () => {
      rounds += 1;
      const many = Array.from({length: 10}, (_, index) =>
        ask(`many ${turn} ${rounds} ${index}`, atOnceMs),
      );
      // All of a round have ended before the next begins.
      await Promise.allSettled(many);
      assert.deepEqual(new Set(await Promise.all(many)), new Set([200]));
    });
    t.is(await ask(`many ${turn} 1 1`, foundMs, 3), 422, 'known to this process');
    await end();
    await inStates([], 200);
    t.is(await ask(`back ${turn}`, foundMs), 200);
  }
});
