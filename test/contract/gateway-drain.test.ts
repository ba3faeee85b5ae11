import assert from 'node:assert/strict';
import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';
import {freePort} from '../runner/server.ts';

test('a drain waits for who is in a full queue and for who waits for a start, no longer than their deadline', async t => {
  const slow = await startModel(t, {tokenDelayMs: 30});
  const asleep = `http://127.0.0.1:${await freePort()}`;
  const gateway = await startGateway(t, {
    endpoint: slow.url,
    limits: {requestMs: 2_500, queueMs: 60_000, queueMax: 2, firstCommentMs: 300, commentMs: 200},
    others: entry => {
      const [endpoint] = entry.endpoints;
      assert(endpoint);
      return [
        {
          ...entry,
          id: uuidv7(),
          name: 'bounded',
          endpoints: [{...endpoint, id: uuidv7(), maxConcurrency: 1}],
        },
        {
          ...entry,
          id: uuidv7(),
          name: 'asleep',
          startSeconds: 60,
          endpoints: [{...endpoint, id: uuidv7(), url: asleep}],
        },
      ];
    },
  });
  const ask = async (more: object) => {
    const response = await gateway.post('/v1/chat/completions', chat(more));
    return [response.status, await response.text()] as const;
  };
  const answers = [
    ask({model: 'bounded', stream: true, max_tokens: 2_000}),
    ask({model: 'asleep', stream: true}),
    ask({model: 'asleep'}),
  ];
  await eventually(() => assert.equal(slow.counters().requests, 1));
  answers.push(ask({model: 'bounded', max_tokens: 5}), ask({model: 'bounded', stream: true}));
  await eventually(() => assert.equal(gateway.intents().length, 5));
  const {server} = gateway.gateway;
  gateway.gateway.drain();
  const began = performance.now();
  const closed = new Promise(resolve => server.close(resolve));
  // As `listen` does.
  const idle = setInterval(() => server.closeIdleConnections(), 100);
  await closed;
  clearInterval(idle);
  // A minute is what the queue and the start might take.
  t.true(performance.now() - began < 20_000);
  await gateway.gateway.close();
  const results = await gateway.settled(5);
  // Whose turn it was when the first one ended may have had its answer.
  t.false(results.some(({outcome}) => outcome === 'client_aborted'));
  for (const [status, text] of await Promise.all(answers)) {
    t.true([200, 503, 504].includes(status), `${status} ${text}`);
    t.regex(text, /upstream_timeout|model_saturated|unavailable|"usage"|\[DONE\]/);
  }
});
