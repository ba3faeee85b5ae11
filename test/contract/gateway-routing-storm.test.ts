import assert from 'node:assert/strict';
import {setTimeout as wait} from 'node:timers/promises';
import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import type {EndpointEntry} from '../../functions/registry/catalogue.ts';
import type {Fault} from '../../knative/local/simulated-model/faults.ts';
import {createRandom, integerFrom} from '../helpers/cut-streams.ts';
import {eventually} from '../helpers/eventually.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';

/** `SEED=7 …` repeats the choices of a run, as far as timing goes. */
const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1_000_000));
const requests = 300;
const atOnce = 30;
const faults: readonly (readonly Fault[])[] = [
  [],
  [],
  [],
  ['reset'],
  ['error-503'],
  ['error-500'],
  ['reset-mid-stream'],
];

test('while endpoints come and go, queues fill and clients leave, each request has one result that charges what was sent for it', async t => {
  t.timeout(180_000);
  const random = createRandom(seed);
  const pick = <Item>(items: readonly Item[]) =>
    items[integerFrom(random, 0, items.length - 1)] as Item;
  const servers = await Promise.all(
    [0, 1, 2, 3].map(() => startModel(t, {firstTokenDelayMs: 2, tokenDelayMs: 1})),
  );
  const endpointAt = (url = ''): EndpointEntry => ({
    id: uuidv7(),
    url,
    upstreamModel: 'simulated-chat',
    usage: 'every-chunk',
    tokenize: false,
    health: 'healthy',
    maxConcurrency: 6,
  });
  const gateway = await startGateway(t, {
    budgets: {budget: 500_000_000_000},
    limits: {queueMs: 3_000},
    entry: {
      endpoints: servers.slice(0, 3).map(({url}) => endpointAt(url)),
      fallbacks: ['spare'],
    },
    others: entry => [
      {
        ...entry,
        id: uuidv7(),
        name: 'spare',
        fallbacks: [],
        endpoints: [endpointAt(servers[3]?.url)],
      },
    ],
  });

  let isOver = false;
  const weather = (async () => {
    for (let turn = 0; !isOver; turn += 1) {
      if (turn % 10 === 5 || turn % 10 === 6) {
        // Now and then none of the model's own takes anything, for a moment.
        for (const server of servers.slice(0, 3)) {
          server.set({faults: turn % 10 === 5 ? ['error-503'] : []});
        }
      } else {
        pick(servers).set({faults: pick(faults), faultAfterTokens: integerFrom(random, 0, 8)});
      }
      await wait(integerFrom(random, 5, 40));
    }
  })();
  const statuses = new Map<number, number>();
  const ask = async () => {
    const leaver = new AbortController();
    const leaves = random() < 0.2;
    const timer = leaves && setTimeout(() => leaver.abort(), integerFrom(random, 0, 60));
    try {
      const response = await gateway.post(
        '/v1/chat/completions',
        chat({stream: random() < 0.6, max_tokens: integerFrom(random, 1, 30)}),
        {signal: leaver.signal},
      );
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      await response.text();
    } catch {
      // It left.
    } finally {
      clearTimeout(timer || undefined);
    }
  };
  let asked = 0;
  await Promise.all(
    Array.from({length: atOnce}, async () => {
      while (asked < requests) {
        asked += 1;
        await ask();
      }
    }),
  );
  isOver = true;
  await weather;

  await eventually(
    () => assert.equal(gateway.results().length, gateway.intents().length, 'a result each'),
    {timeoutMs: 30_000},
  );
  // Who left before it was heard of is noticed, too.
  await eventually(async () => {
    const text = await (await fetch(`${gateway.url}/metrics`)).text();
    assert.match(text, /^sluice_open_requests 0$/m);
    assert.match(text, /^sluice_queue_depth\{model="simulated-chat"\} 0$/m);
    assert.equal(gateway.results().length, gateway.intents().length);
  });
  const results = gateway.results();
  const outcomes = Object.groupBy(results, ({outcome}) => outcome);
  t.log({
    seed,
    statuses: Object.fromEntries(statuses),
    results: results.length,
    retried: results.filter(({tries = 1}) => tries > 1).length,
    fallbacks: results.filter(({model}) => model === 'spare').length,
    outcomes: Object.fromEntries(
      Object.entries(outcomes).map(([name, list]) => [name, list?.length]),
    ),
  });
  const idsOf = (events: readonly {request: string}[]) => events.map(({request}) => request).sort();
  t.is(new Set(idsOf(results)).size, results.length);
  t.deepEqual(idsOf(results), idsOf(gateway.intents()));
  // What was completed is what its last endpoint sent; what was not is never more than all sent for it.
  const wrong = results.filter(({request, endpoint, outcome, outputTokens}) => {
    const sentBy = (url?: string) =>
      servers
        .filter(server => url === undefined || server.url === url)
        .reduce((sum, server) => sum + (server.requestCounters(request)?.tokensSent ?? 0), 0);
    return outcome === 'completed' ? outputTokens !== sentBy(endpoint) : outputTokens > sentBy();
  });
  t.deepEqual(wrong, []);
  t.true(results.some(({tries}) => tries === 2 || tries === 3));
  t.true(results.some(({model}) => model === 'spare'));

  await gateway.gateway.close();
  t.is(
    gateway.leases.leasedOf('budget'),
    results.reduce((sum, {costNanos}) => sum + costNanos, 0),
    'nothing stays held',
  );
});
