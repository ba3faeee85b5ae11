import test, {type ExecutionContext} from 'ava';
import {runCli} from '../../functions/admin/cli/program.ts';
import {createHttpTestServer} from '../helpers/http.ts';

type Call = {request: string; body: unknown};

const id = '5a0b6c2e-1f57-8b0a-8c33-2b1d9e4f7a60';
const org = '0192f0c1-7a00-7000-8000-00000000000a';
const letter = {
  id,
  state: 'waiting',
  subscription: 'trigger/sluice/one',
  destination: 'http://one/',
  proved: false,
  type: 'test.done',
  reason: 'the answer was 422',
  deadAt: '2026-11-21T10:00:00.000Z',
};
const done = {dryRun: false, count: 2, refused: 1, ids: [id], more: false};

const setUp = async (t: ExecutionContext, answers: Record<string, readonly object[]>) => {
  const calls: Call[] = [];
  const {url} = await createHttpTestServer(t, async (request, response) => {
    let text = '';
    for await (const chunk of request) {
      text += chunk;
    }
    const called = `${request.method} ${request.url?.replace('/admin/v1', '')}`;
    const times = calls.filter(call => call.request === called).length;
    calls.push({request: called, body: text === '' ? undefined : JSON.parse(text)});
    const answer = answers[called]?.[times] ?? answers[called]?.at(-1);
    response.writeHead(answer ? 200 : 404, {'content-type': 'application/json'});
    response.end(JSON.stringify(answer ?? {code: 'not_found', detail: `nothing at ${called}`}));
  });
  const run = async (args: string) => {
    let out = '';
    let err = '';
    const code = await runCli(['deadletter', ...args.split(' ')], {
      environment: {SLUICE_URL: url, SLUICE_ADMIN_KEY: 'the-key'},
      folder: '/',
      out: text => {
        out += text;
      },
      err: text => {
        err += text;
      },
      terminal: false,
    });
    return {code, out, err};
  };
  return {calls, run};
};

test('what waits is listed, of all organisations, and what is left out is said', async t => {
  const {run, calls} = await setUp(t, {
    'GET /dead-letters?state=waiting&limit=100': [{data: [letter], next: id}],
  });
  const {code, out, err} = await run('list');
  t.is(code, 0);
  t.is(
    out,
    `ID                                    DEAD AT                   STATE    SUBSCRIPTION        TYPE       ATTEMPTS  REASON
${id}  2026-11-21T10:00:00.000Z  waiting  trigger/sluice/one  test.done         -  the answer was 422
`,
  );
  t.regex(err, /there is more/);
  t.is(calls.length, 1);
});

test('filters are sent as they are given', async t => {
  const path = `GET /dead-letters?org=${org}&subscription=a&type=b&since=2026-11-21&state=dropped&limit=5`;
  const {run} = await setUp(t, {[path]: [{data: []}]});
  const args = `list --org ${org} --subscription a --type b --since 2026-11-21 --state dropped --limit 5 --json`;
  t.deepEqual(await run(args), {code: 0, out: '{"data":[]}\n', err: ''});
});

test('one is shown with its event, and redriven or dropped by its id without more ado', async t => {
  const {run, calls} = await setUp(t, {
    [`GET /dead-letters/${id}`]: [{...letter, event: {id: '1'}, errorData: 'oh'}],
    [`POST /dead-letters/${id}/redrive`]: [{...letter, state: 'redriven'}],
    [`POST /dead-letters/${id}/drop`]: [{...letter, state: 'dropped'}],
  });
  const {out} = await run(`show ${id}`);
  t.regex(out, /^event {9}\{"id":"1"\}$/m);
  t.regex(out, /^error data {4}oh$/m);
  t.is(JSON.parse((await run(`redrive ${id} --json`)).out).state, 'redriven');
  t.is(JSON.parse((await run(`drop ${id} --json --yes`)).out).state, 'dropped');
  t.is(calls.length, 3);
});

test('many are counted first and done only when that is said', async t => {
  const {run, calls} = await setUp(t, {
    'POST /dead-letters/redrive': [{...done, dryRun: true}],
    'POST /dead-letters/drop': [{...done, dryRun: true, count: 7}],
  });
  const refused = await run('drop --type test.done');
  t.is(refused.code, 2);
  t.regex(refused.err, /this would drop 7: give --yes/);
  const dry = await run('redrive --subscription a --dry-run --json');
  t.deepEqual(JSON.parse(dry.out), {...done, dryRun: true});
  t.deepEqual(calls, [
    {request: 'POST /dead-letters/drop', body: {type: 'test.done', dryRun: true}},
    {request: 'POST /dead-letters/redrive', body: {subscription: 'a', dryRun: true}},
  ]);
});

test('many are done to the last one, however few are done at once', async t => {
  const {run, calls} = await setUp(t, {
    'POST /dead-letters/redrive': [
      {...done, count: 1_000, more: true},
      {...done, count: 1_000, more: true},
      {...done, count: 3},
    ],
  });
  const {out, code} = await run('redrive --all --yes --json');
  t.is(code, 0);
  t.like(JSON.parse(out), {count: 2_003, refused: 1, more: false});
  t.is(calls.length, 3);
  t.deepEqual(calls[2]?.body, {all: true, dryRun: false});
});

test('a server that says there is more and does none is not asked for ever', async t => {
  const {run, calls} = await setUp(t, {
    'POST /dead-letters/redrive': [{...done, count: 0, more: true}],
  });
  t.is((await run('redrive --all --yes')).code, 0);
  t.is(calls.length, 1);
});

const wrong = test.macro(async (t, args: string, message: RegExp) => {
  const {run, calls} = await setUp(t, {});
  const {code, err} = await run(args);
  t.is(code, 2);
  t.regex(err, message);
  t.is(calls.length, 0);
});
test('neither an id nor a filter is usage', wrong, 'redrive --yes', /an id, a filter or --all/);
test('an id and a filter are usage', wrong, `drop ${id} --type x`, /not both/);
test('an id and a dry run are usage', wrong, `redrive ${id} --dry-run`, /not both/);
test('show of nothing is usage', wrong, 'show', /missing required argument/);
