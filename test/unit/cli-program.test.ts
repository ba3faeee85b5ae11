import {execFile} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {runCli} from '../../functions/admin/cli/program.ts';
import {createHttpTestServer} from '../helpers/http.ts';

type Call = {method: string; path: string; authorization: string; body: unknown};
type Answer = readonly [status: number, body: unknown];

const org = '0192f0c1-7a00-7000-8000-00000000000a';
const problem = (status: number, code: string, detail: string): Answer => [
  status,
  {type: 'about:blank', title: code, status, code, detail},
];

/** Answers by `METHOD /path` without `/admin/v1`; what has no answer is 404. */
const setUp = async (t: ExecutionContext, answers: Record<string, Answer> = {}) => {
  const calls: Call[] = [];
  const {url} = await createHttpTestServer(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const path = (request.url as string).replace('/admin/v1', '');
    const text = Buffer.concat(chunks).toString();
    calls.push({
      method: request.method as string,
      path,
      authorization: request.headers.authorization as string,
      body: text === '' ? undefined : JSON.parse(text),
    });
    const [status, body] =
      answers[`${request.method} ${path}`] ?? problem(404, 'not_found', `nothing at ${path}`);
    response.writeHead(status, {'content-type': 'application/json'});
    response.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body));
  });
  const run = async (args: string, {terminal = false, environment = {}} = {}) => {
    let out = '';
    let err = '';
    const code = await runCli(args.split(' '), {
      environment: {SLUICE_URL: url, SLUICE_ADMIN_KEY: 'the-key', ...environment},
      folder: '/',
      out: text => {
        out += text;
      },
      err: text => {
        err += text;
      },
      terminal,
      wait: async () => {},
    });
    return {code, out, err};
  };
  return {calls, run};
};

const usage = {
  from: '2026-11-01T00:00:00.000Z',
  to: '2026-11-21T11:00:00.000Z',
  granularity: 'total',
  data: [
    {
      model: 'llama',
      requests: 2,
      failed: 0,
      inputTokens: 20,
      cachedInputTokens: 0,
      outputTokens: 64,
      cost: '0.000106',
      estimated: 0,
    },
  ],
};
const oneOrg: Record<string, Answer> = {
  'GET /orgs?limit=10': [200, {data: [{id: org, name: 'demo'}]}],
  'GET /orgs?name=demo': [200, {data: [{id: org, name: 'demo'}]}],
  'GET /orgs?name=none': [200, {data: []}],
};
const usageAnswers: Record<string, Answer> = {
  ...oneOrg,
  [`GET /usage?org=${org}&groupBy=model&granularity=total`]: [200, usage],
};

/** Answers are found by what is asked, not by its order. */
const anyOrder = (answers: Record<string, Answer>) =>
  Object.fromEntries(
    Object.entries(answers).flatMap(([name, answer]) => {
      const [route, query] = name.split('?');
      const parts = query?.split('&') ?? [];
      return permutations(parts).map(found => [
        found.length > 0 ? `${route}?${found.join('&')}` : (route as string),
        answer,
      ]);
    }),
  );
const permutations = (items: readonly string[]): string[][] =>
  items.length === 0
    ? [[]]
    : items.flatMap((item, index) =>
        permutations(items.toSpliced(index, 1)).map(rest => [item, ...rest]),
      );

test('usage of the only organisation is a table, without saying which', async t => {
  const {run, calls} = await setUp(t, anyOrder(usageAnswers));
  const {code, out, err} = await run('usage');
  t.is(err, '');
  t.is(code, 0);
  t.is(
    out,
    'MODEL  REQUESTS  FAILED  INPUT TOKENS  CACHED INPUT TOKENS  OUTPUT TOKENS      COST\n' +
      'llama         2       0            20                    0             64  0.000106\n',
  );
  t.true(calls.every(({authorization}) => authorization === 'Bearer the-key'));
});

test('an organisation is given by name or by id', async t => {
  const {run} = await setUp(t, anyOrder(usageAnswers));
  const byName = await run('usage --org demo --json');
  t.deepEqual(JSON.parse(byName.out), usage);
  t.deepEqual(await run(`usage --org ${org} --json`), byName);
  const none = await run('usage --org none');
  t.deepEqual([none.code, none.err], [5, 'sluice: there is no organisation "none"\n']);
});

test('of several organisations one must be named', async t => {
  const {run} = await setUp(t, {
    'GET /orgs?limit=10': [
      200,
      {
        data: [
          {id: org, name: 'a'},
          {id: org, name: 'b'},
        ],
      },
    ],
  });
  const {code, err} = await run('usage');
  t.is(code, 2);
  t.regex(err, /give --org, such as "a", "b"/);
});

test('machines get CSV, and never colours', async t => {
  const {run} = await setUp(t, anyOrder(usageAnswers));
  const {out} = await run('usage --csv', {terminal: true});
  t.is(
    out,
    'model,requests,failed,inputTokens,cachedInputTokens,outputTokens,cost\r\nllama,2,0,20,0,64,0.000106\r\n',
  );
});

test('colours are for a terminal, unless NO_COLOR says no', async t => {
  const {run} = await setUp(t, anyOrder(usageAnswers));
  const isColoured = async (options: Parameters<typeof run>[1]) =>
    (await run('usage', options)).out.includes('\u001b[1m');
  t.true(await isColoured({terminal: true}));
  t.false(await isColoured({terminal: true, environment: {NO_COLOR: '1'}}));
  t.false(await isColoured({}));
});

test('a request that was not charged is not found', async t => {
  const request = '0192f0c1-7a00-7000-8000-0000000000ff';
  const {run} = await setUp(
    t,
    anyOrder({[`GET /ledger?request=${request}&limit=100`]: [200, {data: []}]}),
  );
  const {code, err} = await run(`ledger --request ${request}`);
  t.is(code, 5);
  t.regex(err, /nothing was charged/);
});

test('a list of budgets is read to its last page', async t => {
  const budget = {
    unit: 'usd',
    period: 'day',
    limit: '5.00',
    spent: '1.00',
    leased: '0.00',
    remaining: '4.00',
    available: '4.00',
    paused: false,
  };
  const {run} = await setUp(t, {
    ...oneOrg,
    [`GET /budgets?org=${org}`]: [200, {data: [{id: 'first', ...budget}], next: 'first'}],
    [`GET /budgets?org=${org}&after=first`]: [200, {data: [{id: 'second', key: 'k', ...budget}]}],
  });
  const {out} = await run('budget');
  t.is(
    out,
    'ID      OF            UNIT  PERIOD  LIMIT  SPENT  LEASED  REMAINING  AVAILABLE  PAUSED\n' +
      'first   organisation  usd   day      5.00   1.00    0.00       4.00       4.00  no\n' +
      'second  key k         usd   day      5.00   1.00    0.00       4.00       4.00  no\n',
  );
  t.is((JSON.parse((await run('budget list --json')).out) as {data: unknown[]}).data.length, 2);
});

const exits = test.macro(
  async (t, args: string, answers: Record<string, Answer>, code: number, message: RegExp) => {
    const {run} = await setUp(t, answers);
    const answer = await run(args);
    t.is(answer.code, code, answer.err);
    t.regex(answer.err, message);
    t.is(answer.out, '');
  },
);
const models = (status: number, body: unknown) => ({'GET /models': [status, body] as const});

test('no such command is usage', exits, 'spend', {}, 2, /unknown command 'spend'/);
test('no such option is usage', exits, 'usage --all', {}, 2, /unknown option '--all'/);
test('no such command of a command is usage', exits, 'budget lst', {}, 2, /too many arguments/);
test('an option that must be there is usage', exits, 'budget create --org demo', {}, 2, /--limit/);
test(
  'two formats at once are usage',
  exits,
  'model --json --csv',
  models(200, {data: []}),
  2,
  /not both/,
);
test(
  'a budget of two things is usage',
  exits,
  'budget create --limit 1 --org a --key b',
  {},
  2,
  /one of/,
);
test('a change that changes nothing is usage', exits, 'budget set x', {}, 2, /--pause or --resume/);
test(
  'a price that is half said is usage',
  exits,
  'model register a --environment dev --endpoint http://a --price 1',
  {},
  2,
  /free or IN,OUT/,
);
test(
  'half the time of a GPU is usage',
  exits,
  'model register a --environment dev --endpoint http://a --price 1,2 --gpu-ms 1',
  {},
  2,
  /--gpu-ms: expected a whole number/,
);
test(
  'a model that is free and takes time of a GPU is usage',
  exits,
  'model register a --environment dev --endpoint http://a --price free --gpu-ms 1,2',
  {},
  2,
  /--gpu-ms: a model that is free/,
);
test(
  'what the API finds wrong is usage',
  exits,
  'model',
  models(...problem(400, 'bad_request', 'status: expected')),
  2,
  /^sluice: status: expected\n$/,
);
test(
  'a wrong key is refused',
  exits,
  'model',
  models(...problem(401, 'unauthorized', 'no')),
  4,
  /does not take this key/,
);
test('what is not there is not found', exits, 'budget show x', {}, 5, /nothing at/);
test(
  'a model that is not there is not found',
  exits,
  'model show a',
  models(200, {data: []}),
  5,
  /no model "a"/,
);
test(
  'a fault of the server is a failure',
  exits,
  'model',
  models(...problem(500, 'internal', 'oh')),
  1,
  /^sluice: oh\n$/,
);
test(
  'a conflict is a failure',
  exits,
  'model',
  models(...problem(409, 'conflict', 'taken')),
  1,
  /taken/,
);
test(
  'an answer that is no JSON is a failure',
  exits,
  'model',
  models(200, '<html>'),
  1,
  /no answer of Sluice/,
);
test(
  'a page of somebody else is a failure',
  exits,
  'model',
  models(502, '<html>'),
  1,
  /answered 502/,
);

test('a server that is not there is unreachable', async t => {
  const {run} = await setUp(t);
  const {code, err} = await run('model', {environment: {SLUICE_URL: 'http://127.0.0.1:1'}});
  t.is(code, 3);
  t.regex(err, /http:\/\/127\.0\.0\.1:1 does not answer \(/);
});

test('what a model takes of a GPU is sent beside its price', async t => {
  const {run, calls} = await setUp(t);
  await run('model register a --environment dev --endpoint http://a --price 1,2 --gpu-ms 30,400');
  t.like(calls[0]?.body, {
    price: {
      inputPerMillion: '1',
      outputPerMillion: '2',
      inputGpuMsPerMillion: 30,
      outputGpuMsPerMillion: 400,
    },
  });
});

test('a top-up without an answer tells the id with which it can be repeated', async t => {
  const {run} = await setUp(t);
  const environment = {SLUICE_URL: 'http://127.0.0.1:1'};
  const made = await run('budget topup x --amount 1', {environment});
  t.is(made.code, 3);
  t.regex(made.err, /repeat it with --id [0-9a-f-]{36}, and it is added once\n$/);
  const given = await run('budget topup x --amount 1 --id invoice-1', {environment});
  t.regex(given.err, /repeat it with --id invoice-1,/);
});

test('a top-up is sent with an id, and nothing that was not said', async t => {
  const {run, calls} = await setUp(t, {
    'POST /budgets/x/top-ups': [201, {id: 'a', amount: '1.00'}],
  });
  t.is((await run('budget topup x --amount 1')).code, 0);
  t.is((await run('budget topup x --amount 2 --id a --by finance')).code, 0);
  const [first, second] = calls.map(({body}) => body as Record<string, string>);
  t.regex(String(first?.id), /^[0-9a-f-]{36}$/);
  t.deepEqual(first, {amount: '1', id: first?.id as string});
  t.deepEqual(second, {amount: '2', id: 'a', by: 'finance'});
  t.is((await run('budget topup x')).code, 2);
});

test('a redirect is not followed, so the key goes nowhere else', async t => {
  let asked = 0;
  const elsewhere = await createHttpTestServer(t, (_request, response) => {
    asked += 1;
    response.end('{"data": []}');
  });
  const {url} = await createHttpTestServer(t, (_request, response) => {
    response.writeHead(307, {location: elsewhere.url}).end();
  });
  const {run} = await setUp(t);
  t.is((await run('model', {environment: {SLUICE_URL: url}})).code, 1);
  t.is(asked, 0);
});

test('an endpoint that would drive the terminal does not', async t => {
  const model = {
    id: org,
    name: 'a',
    environment: 'development',
    status: 'registered',
    contextLength: null,
    price: 'free',
    endpoints: [{url: 'http://a', health: 'unhealthy', healthReason: 'it said \u001b[2J\r'}],
  };
  const {run} = await setUp(t, {
    ...models(200, {data: [model]}),
    [`GET /models/${org}`]: [200, model],
  });
  const {code, out} = await run('model show a');
  t.is(code, 0);
  t.notRegex(out.replaceAll('\n', ''), /\p{Cc}/u);
});

test('the help tells the exit codes and is no error', async t => {
  const {run} = await setUp(t);
  const {code, out} = await run('--help');
  t.is(code, 0);
  t.regex(out, /4 {2}refused/);
});

test('the program ends with the exit code', async t => {
  const main = fileURLToPath(new URL('../../functions/admin/cli/main.ts', import.meta.url));
  const error = await t.throwsAsync(
    promisify(execFile)(process.execPath, [main, 'model'], {
      env: {...process.env, SLUICE_URL: 'http://127.0.0.1:1', SLUICE_ADMIN_KEY: 'key'},
    }),
  );
  t.like(error, {code: 3});
});
