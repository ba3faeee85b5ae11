/** A gateway that is told its settings by the names of other gateways has a Redis for its limits, and keys have the default limit. */
import test from 'ava';
import {Redis} from 'ioredis';
import {startModelProcess} from '../helpers/model-process.ts';
import {modelName, openProcessWorld} from '../helpers/process-world.ts';
import {startRedis} from '../helpers/redis.ts';
import {chat} from '../helpers/simulated-model.ts';

test('REDIS_ADDR and RATE_LIMIT_DEFAULT_RPS: a key without a limit has that one, over all gateways', async t => {
  t.timeout(120_000);
  const redis = await startRedis(t);
  // An address says no password.
  const client = new Redis(redis.url);
  await client.config('SET', 'requirepass', '');
  client.disconnect();
  const model = await startModelProcess(t, {models: [{name: modelName, maxModelLength: 8_192}]});
  const {hostname, port} = new URL(redis.url);
  const world = await openProcessWorld(t, {
    endpoints: [model.url],
    env: {
      REDIS_ADDR: `${hostname}:${port}`,
      RATE_LIMIT_DEFAULT_RPS: '1',
      BUDGET_SERVICE_TIMEOUT: '2s',
      HEALTH_CHECK_INTERVAL: '10s',
      KAFKA_TOPIC: 'sluice.usage',
    },
  });
  const gateways = [world.gateway, await world.start()];
  const began = performance.now();
  const answers: Response[] = [];
  const work = async (first: number) => {
    for (let index = first; index < 100; index += 4) {
      const {url} = gateways[index % 2] as (typeof gateways)[number];
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: {authorization: `Bearer ${world.apiKey}`},
        body: JSON.stringify(chat({model: modelName, max_tokens: 1})),
      });
      await response.text();
      answers.push(response);
    }
  };
  await Promise.all([0, 1, 2, 3].map(work));
  const seconds = (performance.now() - began) / 1_000;
  const taken = answers.filter(({status}) => status === 200).length;
  t.log({taken, seconds: seconds.toFixed(1)});
  t.is(answers[0]?.headers.get('x-ratelimit-limit-requests'), '60');
  t.true(taken <= 60 + Math.ceil(seconds), 'each of two gateways by itself would take 60');
  t.true(taken >= 20);
  t.is(answers.filter(({status}) => status === 429).length, 100 - taken);
  for (const gateway of gateways) {
    t.is(await gateway.metric('sluice_limits_per_process'), 0);
  }
});
