import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {runCli} from '../../functions/admin/cli/program.ts';
import {adminKey, startAdmin} from '../helpers/admin-server.ts';
import {insertTenantRows} from '../helpers/tenant-rows.ts';

const path = (request: string) => `/admin/v1/requests/${request}`;

const setUp = async (t: ExecutionContext) => {
  const admin = await startAdmin(t);
  const pool = admin.database.pool('superuser');
  const one = await insertTenantRows(pool, 'one');
  const two = await insertTenantRows(pool, 'two');
  const explain = async (request: string, query = '') =>
    admin.call('GET', `${path(request)}${query}`);
  /** A price that makes 7 and 5 tokens cost what the rows say. */
  const addPrice = async () => {
    await pool.query(
      `with model as (
         insert into models (id, name, environment, status) values ($1, 'a model', 'development', 'registered') returning id)
       insert into prices (model_id, version, input_per_million, output_per_million)
       select id, 1, 2350000000, 6200000000 from model`,
      [one.model],
    );
  };
  return {admin, pool, one, two, explain, addPrice};
};

test('a settled request: who, where, what it cost and how that is reckoned, what covered it', async t => {
  const {pool, one, explain, addPrice} = await setUp(t);
  await addPrice();
  await pool.query(
    `update usage_records set latency_ms = 900, time_to_first_token_ms = 250, tries = 2, status = 200, label = 'mine',
       traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' where request = $1`,
    [one.request],
  );
  const {status, body} = await explain(one.request);
  t.is(status, 200);
  t.like(body, {
    state: 'settled',
    org: one.org,
    project: one.project,
    key: one.key,
    model: 'model of one',
    endpoint: 'http://127.0.0.1/',
    tries: 2,
    operation: 'chat',
    streamed: false,
    status: 200,
    outcome: 'completed',
    label: 'mine',
    trace: '4bf92f3577b34da6a3ce929d0e0e4736',
    usageRecorded: true,
    deadLetters: [],
    cost: {
      inputTokens: 7,
      cachedInputTokens: 0,
      outputTokens: 5,
      charged: '0.00004745',
      estimated: false,
      priceVersion: 1,
      arithmetic: '(7 input × 2.35 + 5 output × 6.20) ÷ 1,000,000 = 0.00004745 USD',
      agrees: true,
    },
  });
  const {arrivedAt, firstTokenAt, finishedAt} = body.times as Record<string, string>;
  const ms = (from: string | undefined, to: string | undefined) =>
    Date.parse(to as string) - Date.parse(from as string);
  t.is(ms(arrivedAt, finishedAt), 900);
  t.is(ms(arrivedAt, firstTokenAt), 250);
  const [entry] = body.ledger as {charges: object[]}[];
  t.like(entry?.charges[0], {
    budget: one.budget,
    lease: one.lease,
    hold: '0.0001',
    covered: '0.00004745',
    overage: '0.00',
  });
});

test('a request charged by policy and corrected: both entries, and the sum is what the tokens cost', async t => {
  const {pool, one, explain, addPrice} = await setUp(t);
  await addPrice();
  await pool.query(
    `update ledger set entry = 'unsettled', estimated = true, outcome = 'unsettled', input_tokens = 100, output_tokens = 0,
       cost_nanos = 235000 where request = $1`,
    [one.request],
  );
  const before = await explain(one.request);
  t.like(before.body.cost, {estimated: true, agrees: true, charged: '0.000235'});
  await pool.query(
    `insert into ledger select month, request, 'correction', org_id, project_id, key_id, model, model_id, environment,
       price_version, at, -93, 0, 5, 47450 - 235000, false, 'completed', traceparent, '[]', settled_at + interval '1 second'
     from ledger where request = $1`,
    [one.request],
  );
  const {body} = await explain(one.request);
  t.regex(String(body.summary), /charged by unsettled, then correction/);
  t.like(body.cost, {inputTokens: 7, outputTokens: 5, charged: '0.00004745', agrees: true});
  t.is((body.cost as {estimated: boolean}).estimated, false);
});

const intentOf = (ids: {org: string; budget: string; window: string; lease: string}) => ({
  project: uuidv7(),
  key: uuidv7(),
  environment: 'production',
  model: 'llama',
  modelId: uuidv7(),
  endpoint: 'http://vllm/',
  operation: 'chat.completions',
  streamed: true,
  priceVersion: 3,
  startedAt: new Date().toISOString(),
  promptBytes: 91,
  unsettledPolicy: 'hold',
  budgets: [
    {budget: ids.budget, window: ids.window, lease: ids.lease, unit: 'usd', hold: 1_500_000},
  ],
});

test('a request that runs, and one whose deadline is over: what it holds, and that nothing settled it', async t => {
  const {pool, one, explain} = await setUp(t);
  await pool.query(
    `update requests set intent = $2, covered = '[true]', deadline = now() + interval '1 minute' where id = $1`,
    [one.openRequest, JSON.stringify(intentOf(one))],
  );
  const {body} = await explain(one.openRequest);
  t.like(body, {
    state: 'running',
    model: 'llama',
    endpoint: 'http://vllm/',
    streamed: true,
    promptBytes: 91,
    unsettledPolicy: 'hold',
    usageRecorded: false,
    ledger: [],
  });
  t.deepEqual(body.holds, [
    {
      budget: one.budget,
      window: one.window,
      lease: one.lease,
      unit: 'usd',
      hold: '0.0015',
      covered: true,
    },
  ]);
  t.is(body.cost, undefined);
  await pool.query(`update requests set deadline = now() - interval '1 minute' where id = $1`, [
    one.openRequest,
  ]);
  t.is((await explain(one.openRequest)).body.state, 'overdue');
});

test('a refused request: the code, the sentence that its client was told, and which gateway said it', async t => {
  const {one, explain} = await setUp(t);
  const {body} = await explain(one.refused);
  t.like(body, {
    state: 'refused',
    status: 402,
    org: one.org,
    key: one.key,
    model: 'model of one',
    operation: 'chat.completions',
    ledger: [],
    usageRecorded: false,
    refusal: {
      code: 'insufficient_quota',
      reason: `budget ${one.budget} is spent for this period`,
      gateway: 'one',
    },
  });
  t.regex(String(body.summary), /^refused with 402 insufficient_quota before it was sent/);
});

test('the limits that it met are shown, its ceiling of tokens too: of project, key and model', async t => {
  const {pool, one, explain, admin} = await setUp(t);
  await pool.query(
    `insert into models (id, name, environment, status, max_output_tokens, requests_per_minute)
     values ($1, 'model of one', 'development', 'registered', 2000, 60)`,
    [one.model],
  );
  await pool.query('update projects set max_output_tokens = 50 where id = $1', [one.project]);
  await pool.query('update keys set max_output_tokens = 70, tokens_per_minute = 9 where id = $1', [
    one.key,
  ]);
  await pool.query(
    `update refusals set code = 'max_tokens_too_large', status = 400, parameter = 'max_tokens', environment = 'development',
       reason = 'max_tokens is over what this key may ask of this model: 50' where request = $1`,
    [one.refused],
  );
  const limits = {
    org: {},
    project: {maxOutputTokens: 50},
    key: {tokensPerMinute: 9, maxOutputTokens: 70},
    model: {requestsPerMinute: 60, maxOutputTokens: 2000},
  };
  const {body} = await explain(one.refused);
  t.deepEqual(body.limits, limits);
  t.like(body.refusal, {code: 'max_tokens_too_large', parameter: 'max_tokens'});
  t.regex(String(body.summary), /this model: 50$/);
  t.deepEqual((await explain(one.request)).body.limits, limits, 'also of one that was answered');
  let out = '';
  await runCli(['explain', one.refused], {
    environment: {SLUICE_URL: admin.url, SLUICE_ADMIN_KEY: adminKey},
    folder: '/',
    out: text => {
      out += text;
    },
    err: text => t.fail(text),
    terminal: false,
  });
  t.regex(
    out,
    /^limits +project maxOutputTokens 50, key tokensPerMinute 9, key maxOutputTokens 70,/m,
  );
});

test('dead letters about a request are told; what anybody can have made up does not say whose it is', async t => {
  const {pool, one, explain} = await setUp(t);
  const lost = uuidv7();
  await pool.query('update dead_letters set event_id = $2, proved = false where id = $1', [
    one.deadLetter,
    `${lost}/finished`,
  ]);
  t.is((await explain(lost)).status, 404);
  t.is((await explain(lost, `?org=${one.org}`)).body.state, 'unreadable');
  await pool.query('update dead_letters set proved = true where id = $1', [one.deadLetter]);
  const {body} = await explain(lost);
  t.like(body, {state: 'unreadable', org: one.org});
  t.like((body.deadLetters as object[])[0], {id: one.deadLetter, state: 'waiting', proved: true});
});

test('a request of nobody is 404, and another organisation’s is as if it were not', async t => {
  const {one, two, explain} = await setUp(t);
  t.is((await explain(uuidv7())).status, 404);
  t.is((await explain(crypto.randomUUID())).status, 404);
  t.is((await explain('mine')).status, 400);
  for (const request of [one.request, one.openRequest, one.refused]) {
    t.is((await explain(request, `?org=${two.org}`)).status, 404);
  }
  t.is((await explain(one.refused, `?org=${one.org}`)).status, 200);
  t.is((await explain(one.refused, `?org=${uuidv7()}`)).status, 404);
});

test('sluice explain shows it to people, and as JSON what the API says', async t => {
  const {admin, one, addPrice} = await setUp(t);
  await addPrice();
  const run = async (...args: string[]) => {
    const written = {out: '', err: ''};
    const code = await runCli(args, {
      environment: {SLUICE_URL: admin.url, SLUICE_ADMIN_KEY: adminKey},
      folder: '/',
      out: text => {
        written.out += text;
      },
      err: text => {
        written.err += text;
      },
      terminal: false,
    });
    return {code, ...written};
  };
  const {code, out, err} = await run('explain', one.request);
  t.is(code, 0, err);
  t.regex(out, /^arithmetic +\(7 input × 2\.35/m);
  t.regex(out, /^endpoint +http:\/\/127\.0\.0\.1\/$/m);
  t.regex(out, /^charged +0\.00004745$/m);
  t.regex(out, /^charges\n(.|\n)*result .*0\.0001 +0\.00004745 +0\.00004745 +0\.00$/m);
  const refused = await run('explain', one.refused, '--org', 'one');
  t.regex(refused.out, /^code +insufficient_quota$/m);
  t.is(JSON.parse((await run('explain', one.refused, '--json')).out).state, 'refused');
  const nobody = await run('explain', uuidv7());
  t.is(nobody.code, (await run('budget', 'show', uuidv7())).code);
  t.regex(nobody.err, /^sluice: nothing is known of request/);
});
