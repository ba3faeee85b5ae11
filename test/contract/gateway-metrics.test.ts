/** Every family of metrics that a README of the gateway names is there from the start, and every one that is there is named. */
import {readFile} from 'node:fs/promises';
import test from 'ava';
import {startGateway} from '../helpers/gateway.ts';
import {chat} from '../helpers/simulated-model.ts';

const folder = new URL('../../functions/gateway/', import.meta.url);
const readmes = ['README.md', 'routing/README.md', 'limits/README.md'];

/** Of other functions, and of Kafka, which this gateway is without. */
const elsewhere = [
  'sluice_budget_lag_seconds',
  'sluice_usage_lag_seconds',
  'sluice_kafka_away',
  'sluice_log_events_total',
];
/** The database's role. */
const noMetric = ['sluice_gateway'];

const named = async () => {
  const texts = await Promise.all(readmes.map(name => readFile(new URL(name, folder), 'utf8')));
  return [...new Set(texts.join('\n').match(/\bsluice_[a-z_]+/g))]
    .filter(name => !elsewhere.includes(name) && !noMetric.includes(name))
    .toSorted();
};

test('what the READMEs name is on /metrics before anybody has asked for anything, and nothing else is', async t => {
  const {url} = await startGateway(t);
  const page = await (await fetch(`${url}/metrics`)).text();
  const found = [...page.matchAll(/^# TYPE (sluice_[a-z_]+) (?:counter|gauge|histogram)$/gm)].map(
    ([, name]) => name as string,
  );
  t.true(found.length >= 30);
  t.deepEqual(found.toSorted(), await named());
});

test('queries, concurrency, errors by type, queue depth, dispatch latency and tokens move as requests do', async t => {
  const {
    url,
    post,
    settled,
    entry,
    model: server,
  } = await startGateway(t, {
    model: {tokenDelayMs: 1_000, firstTokenDelayMs: 0},
  });
  const value = async (cell: string) => {
    const page = await (await fetch(`${url}/metrics`)).text();
    const line = page.split('\n').find(found => found.startsWith(`${cell} `));
    return line === undefined ? undefined : Number(line.slice(cell.length + 1));
  };
  const model = `{model="${entry.name}"}`;
  const stream = await post('/v1/chat/completions', chat({max_tokens: 20, stream: true}));
  t.is(await value('sluice_open_requests'), 1);
  server.set({tokenDelayMs: 5});
  await stream.text();
  await settled();
  t.is(await value('sluice_open_requests'), 0);
  t.is(await value(`sluice_requests_total{model="${entry.name}",outcome="completed"}`), 1);
  t.is(await value(`sluice_dispatch_seconds_count${model}`), 1);
  t.is(await value(`sluice_tokens_total{model="${entry.name}",kind="output"}`), 20);
  t.is(await value(`sluice_queue_depth${model}`), 0);
  await (await post('/v1/chat/completions', chat({max_tokens: 0}))).text();
  t.is(await value('sluice_denials_total{code="bad_request"}'), 1);
});
