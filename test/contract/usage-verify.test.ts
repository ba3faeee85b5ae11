import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {createLook, createReadText} from '../../functions/usage/verify/look.ts';
import {readAtOnce} from '../../functions/usage/verify/reading.ts';
import {due, org} from '../helpers/budget.ts';
import {eventually} from '../helpers/eventually.ts';
import {createHttpTestServer} from '../helpers/http.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';
import {makeBooks, registerEndpoint, sentOf} from '../helpers/verify.ts';

const kindsOf = ({kinds}: {kinds: readonly {kind: string; count: number}[]}) =>
  kinds.map(({kind, count}) => `${kind} ${count}`).toSorted();

/** Settled, unsettled, corrected, repeated, and begun without an end. */
const fill = async (t: ExecutionContext) => {
  const books = await makeBooks(t);
  const requests = Array.from({length: 12}, (_, index) =>
    books.makeRequest({amount: 4_000 + index, atMs: Date.now() - 7_200_000 - index * 60_000}),
  );
  const [late, never, ...prompt] = requests as [(typeof requests)[0], (typeof requests)[0]];
  await books.handle(requests.map(({intent}) => intent));
  await books.handle(prompt.map(({result}) => result));
  await books.handle([due(new Date().toISOString())]);
  await books.handle([late.result, ...prompt.map(({result}) => result)]);
  await books.handle(await sentOf(books.root));
  await books.root.query(`update ledger set settled_at = settled_at - interval '1 hour'`);
  const running = books.makeRequest({atMs: Date.now() - 1_000});
  await books.handle([running.intent]);
  return {...books, requests, late, never, running};
};

test('books that the functions wrote agree, with what was unsettled, corrected, repeated and is running', async t => {
  const {verify} = await fill(t);
  const report = await verify();
  t.deepEqual(report.findings, []);
  t.false(report.broken);
  t.deepEqual(report.compared, {
    ledgerRequests: 12,
    recordedRequests: 12,
    lateRequests: 0,
    openRequests: 1,
    windows: 1,
    engineSpans: 0,
  });
});

const faults: ReadonlyArray<readonly [what: string, sql: string, kinds: readonly string[]]> = [
  [
    'a usage record that is lost',
    `delete from usage_records where request = $1`,
    ['hourly-sum-differs 1', 'record-missing 1'],
  ],
  [
    'a request that was never charged',
    'delete from ledger where request = $1',
    ['ledger-missing 1', 'window-differs 1'],
  ],
  [
    'a token too many in a record and its sums',
    `with r as (update usage_records set output_tokens = output_tokens + 1 where request = $1 returning *),
       h as (update usage_hourly u set output_tokens = u.output_tokens + 1 from r where u.hour = date_trunc('hour', r.at)),
       d as (update usage_daily u set output_tokens = u.output_tokens + 1 from r where u.day = (r.at at time zone 'UTC')::date)
     select 1`,
    ['different 1'],
  ],
  [
    'a nano-USD less in the ledger',
    'update ledger set cost_nanos = cost_nanos - 1 where request = $1',
    ['different 1'],
  ],
  [
    'a correction that is lost',
    `delete from ledger where entry = 'correction' and $1::uuid is not null`,
    ['different 1', 'window-differs 1'],
  ],
  [
    'a day that was counted twice',
    'update usage_daily set requests = requests + 1 where $1::uuid is not null',
    ['daily-sum-differs 1'],
  ],
  [
    'a window that was debited twice',
    'update windows set spent = spent + 1, leased = leased - 1 where $1::uuid is not null',
    ['leases-differ 1', 'window-differs 1'],
  ],
  [
    'overage that nobody was charged',
    'update windows set overage = overage + 1 where $1::uuid is not null',
    ['window-differs 1'],
  ],
  [
    'a lease that gave back what it had spent',
    'update leases set returned = returned + 1 where $1::uuid is not null',
    ['leases-differ 1'],
  ],
  [
    'a hold that is open for nobody',
    'update leases set open = open + 1 where $1::uuid is not null',
    ['open-holds-differ 1'],
  ],
  [
    'an open request that is forgotten',
    'delete from requests where $1::uuid is not null',
    ['open-holds-differ 1'],
  ],
  [
    'a charge to a window that is not there',
    `update ledger set charges = jsonb_set(charges, '{0,window}', to_jsonb(gen_random_uuid())) where request = $1`,
    ['window-differs 1', 'window-missing 1'],
  ],
];
for (const [what, sql, kinds] of faults) {
  test(`${what} breaks a promise and is told`, async t => {
    const {verify, root, requests} = await fill(t);
    const request = requests[5]?.request;
    await root.query(sql, [request]);
    const report = await verify();
    t.true(report.broken);
    // The hours of twelve minutes may be two.
    t.deepEqual(
      kindsOf(report).map(kind => kind.replace('daily-sum-differs 2', 'daily-sum-differs 1')),
      kinds,
    );
    t.true(report.findings.every(({broken}) => broken));
    const found = report.findings.find(({check}) => check === 'requests');
    if (found && !what.includes('correction')) {
      t.like(found, {subject: request, org});
      t.is(report.differences.length, 1);
    }
    if (kinds.length === 1) {
      t.false(
        (await verify({checks: kinds[0]?.startsWith('different') ? ['windows'] : ['requests']}))
          .broken,
      );
    }
  });
}

test('what one side has not read yet is late, and missing when the grace is over', async t => {
  const {verify, debitBatch, makeRequest} = await makeBooks(t);
  const {intent, result} = makeRequest({atMs: Date.now() - 3_000});
  await debitBatch([intent, result]);
  t.like(await verify({graceSeconds: 600}), {broken: false, compared: {lateRequests: 1}});
  const report = await verify({graceSeconds: 0});
  t.deepEqual(kindsOf(report), ['record-missing 1']);
  t.is(report.differences[0]?.cost, '0.000005');
  t.deepEqual((await verify({from: '2026-01-01', to: '2026-01-02'})).findings, []);
});

test('only the first of many differences are shown, all are counted', async t => {
  const {verify, debitBatch, makeRequest} = await makeBooks(t);
  const requests = Array.from({length: 1_200}, () => makeRequest());
  for (let from = 0; from < requests.length; from += 400) {
    await debitBatch(
      requests.slice(from, from + 400).flatMap(({intent, result}) => [intent, result]),
    );
  }
  const report = await verify({first: 3, graceSeconds: 0});
  t.deepEqual(kindsOf(report), ['record-missing 1200']);
  t.is(report.findings.length, 3);
  t.like(report.differences[0], {requests: 1_200, outputTokens: 6_000, cost: '0.006'});
});

test('a window from before the oldest month of the ledger is told of, but proves nothing', async t => {
  const {verify, root, handle, makeRequest} = await makeBooks(t);
  const {intent, result} = makeRequest();
  await handle([intent, result]);
  await root.query(`update budgets set created_at = now() - interval '14 months'`);
  await root.query('update windows set spent = spent + 7');
  t.like(await verify(), {broken: false, kinds: [{kind: 'window-older-than-ledger', count: 1}]});
  await root.query('update windows set spent = spent - 8');
  t.deepEqual(kindsOf(await verify()), ['window-differs 1']);
});

test('a model server that made what was charged is no finding, one that did not is the alarm', async t => {
  const {verify, root, handle, makeRequest} = await makeBooks(t);
  const model = await startModel(t);
  await registerEndpoint(root, model.url, 'simulated-chat');
  const ask = async () => {
    const atMs = Date.now();
    const {body} = await model.postJson('/v1/chat/completions', chat({max_tokens: 40}));
    const {prompt_tokens: inputTokens, completion_tokens: outputTokens} = body.usage;
    const {intent, result} = makeRequest({
      atMs,
      lengthMs: Date.now() - atMs,
      endpoint: model.url,
      inputTokens,
      outputTokens,
    });
    await handle([intent, result]);
    return outputTokens as number;
  };
  t.deepEqual(kindsOf(await verify({checks: ['engines']})), ['looked-at-too-seldom 1']);
  await ask();
  await ask();
  t.like(await verify({checks: ['engines']}), {
    broken: false,
    kinds: [],
    compared: {engineSpans: 1},
  });

  const request = (await root.query('select request from ledger limit 1')).rows[0].request;
  await root.query('update ledger set output_tokens = output_tokens + 100 where request = $1', [
    request,
  ]);
  const report = await verify({checks: ['engines']});
  t.true(report.broken);
  t.like(report.findings[0], {
    kind: 'ledger-above-engine',
    subject: model.url,
    model: 'llama-3.1-8b',
  });

  // A server that begins anew forgot what it had counted: nothing is proved.
  await root.query(
    `update engine_counters set instance = 'another' where taken_at = (select min(taken_at) from engine_counters)`,
  );
  t.like(await verify({checks: ['engines']}), {broken: false, kinds: [{kind: 'engine-was-reset'}]});
});

test('tokens that nobody was charged for are told, beyond what running requests explain', async t => {
  const {verify, root, handle, makeRequest} = await makeBooks(t);
  const model = await startModel(t);
  await registerEndpoint(root, model.url, 'simulated-chat');
  await verify({checks: ['engines']});
  const text = 'word '.repeat(1_000);
  await model.postJson('/v1/chat/completions', {
    ...chat({max_tokens: 1_000}),
    messages: [{role: 'user', content: text}],
  });
  t.like(await verify({checks: ['engines']}), {
    broken: false,
    kinds: [{kind: 'engine-above-ledger', count: 1}],
  });
  await handle([makeRequest({atMs: Date.now() - 1_000, endpoint: model.url}).intent]);
  t.deepEqual((await verify({checks: ['engines']})).kinds, []);
});

test('a model server that does not tell is a note, and holds nobody up', async t => {
  const {verify, root, pool} = await makeBooks(t);
  const silent = await createHttpTestServer(t, () => {});
  const without = await createHttpTestServer(t, (_request, response) => response.end('up 1\n'));
  await registerEndpoint(root, silent.url, 'one');
  await registerEndpoint(root, without.url, 'two');
  await registerEndpoint(root, 'http://127.0.0.1:1', 'three');
  t.like(await verify({checks: ['engines']}), {
    broken: false,
    kinds: [
      {kind: 'no-counters', count: 3},
      {kind: 'looked-at-too-seldom', count: 3},
    ],
  });
  const hurried = await createLook({pool, limitMs: 0})();
  t.is(hurried.silent.length, 3);
  t.regex(hurried.silent[0]?.reason ?? '', /^was not asked/);
  const huge = await createHttpTestServer(t, (_request, response) =>
    response.end('x'.repeat(5_000)),
  );
  t.deepEqual(await createReadText({bytesMax: 4_096})(huge.url), {
    failed: 'answered more than 4096 bytes',
  });
  t.deepEqual(await createReadText({timeoutMs: 50})(silent.url), {
    failed: 'no answer within 0.05 s',
  });
});

test('everything is read as of one instant, one run at a time, and not for ever', async t => {
  const {pool, root} = await makeBooks(t);
  const count = 'select count(*)::int as count from orgs';
  await readAtOnce(pool)(async reading => {
    t.is((await reading.rows(count, []))[0]?.count, 1);
    await root.query(`insert into orgs (id, name) values ($1, 'two')`, [uuidv7()]);
    t.is((await reading.rows(count, []))[0]?.count, 1);
    await t.throwsAsync(
      readAtOnce(pool)(async () => {}),
      {message: /another verify is running/},
    );
    await t.throwsAsync(reading.rows('delete from outbox', []), {code: '25006'});
  }).catch(error => t.regex(error.message, /rolled back/));
  await t.throwsAsync(
    readAtOnce(pool, {limitMs: 50})(reading => reading.rows('select pg_sleep(20)', [])),
    {message: /longer than 0.05 s/},
  );
});

test('a model server that was started anew in between is no alarm, though its counters are higher than before', async t => {
  const {verify, root, handle, makeRequest} = await makeBooks(t);
  const first = await startModel(t);
  await registerEndpoint(root, first.url, 'simulated-chat');
  const ask = async (url: string, maxTokens: number) => {
    const atMs = Date.now();
    const response = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(chat({max_tokens: maxTokens})),
    });
    const {usage} = (await response.json()) as {
      usage: {prompt_tokens: number; completion_tokens: number};
    };
    const request = makeRequest({
      atMs,
      lengthMs: Date.now() - atMs,
      endpoint: first.url,
      inputTokens: usage.prompt_tokens,
      outputTokens: usage.completion_tokens,
    });
    await handle([request.intent, request.result]);
  };
  await ask(first.url, 10);
  await verify({checks: ['engines']});
  await ask(first.url, 50);
  await first.close();
  const second = await startModel(t, {port: Number(new URL(first.url).port)});
  // A connection to the first may still be thought of as good.
  await eventually(() => fetch(`${second.url}/health`));
  await ask(second.url, 30);
  t.like(await verify({checks: ['engines']}), {
    broken: false,
    kinds: [{kind: 'engine-was-reset', count: 1}],
  });
});

test('what a lost lease had covered is charged as overage after a restore, and the books agree', async t => {
  const {verify, root, handle, makeRequest} = await makeBooks(t);
  await root.query('update windows set leased = 0');
  await root.query('delete from leases');
  const {intent, result} = makeRequest();
  await handle([intent, result]);
  const {rows} = await root.query('select spent::text, overage::text, leased::text from windows');
  t.deepEqual(rows, [{spent: '0', overage: '5000', leased: '0'}]);
  t.deepEqual((await verify({graceSeconds: 0})).findings, []);
});
