import {fork} from 'node:child_process';
import {once} from 'node:events';
import test, {type ExecutionContext} from 'ava';
import {runCli} from '../../functions/admin/cli/program.ts';
import {createOpenApi} from '../helpers/openapi.ts';
import {makeBooks, registerEndpoint} from '../helpers/verify.ts';

const adminKey = 'the-admin-key-of-this-test';
const path = '/admin/v1/usage/verify';

/** The usage function as its own process, over books that the functions wrote. */
const setUp = async (t: ExecutionContext) => {
  const books = await makeBooks(t);
  const {intent, result} = books.makeRequest();
  await books.handle([intent, result]);
  const child = fork('functions/usage/main.ts', {
    silent: true,
    env: {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      DATABASE_URL: books.url,
      ADMIN_KEY: adminKey,
      SOURCE_TOKEN: 'the source token of this test',
      LOG_LEVEL: 'error',
    },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [{listening}] = (await once(child, 'message')) as [{listening: number}];
  const url = `http://127.0.0.1:${listening}`;
  const contract = createOpenApi();
  const ask = async (body?: unknown, key = adminKey) => {
    const response = await fetch(url + path, {
      method: 'POST',
      headers: {authorization: `Bearer ${key}`, 'content-type': 'application/json'},
      ...(body === undefined ? {} : {body: JSON.stringify(body)}),
    });
    const {status, headers} = response;
    const answer = {status, contentType: headers.get('content-type'), body: await response.json()};
    contract.check({method: 'POST', path, ...answer});
    return answer;
  };
  const cli = async (args: string) => {
    let out = '';
    let err = '';
    const code = await runCli(['usage', 'verify', ...args.split(' ').filter(part => part !== '')], {
      environment: {SLUICE_URL: url, SLUICE_ADMIN_KEY: adminKey},
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
  return {...books, child, ask, cli};
};

test('the route answers who holds the admin key as its contract says, and the process ends when told to', async t => {
  const {ask, root, child} = await setUp(t);
  t.like(await ask(), {status: 200, body: {broken: false, compared: {ledgerRequests: 1}}});
  t.is((await ask({}, 'another key')).status, 401);
  t.like(await ask({graceSeconds: 'no'}), {status: 400, body: {parameter: 'graceSeconds'}});
  t.like(await ask({from: '2026-11-21', graceSecond: 1}), {
    status: 400,
    body: {parameter: 'graceSecond'},
  });
  await root.query('delete from usage_records');
  const {body} = await ask({graceSeconds: 0});
  t.like(body, {
    broken: true,
    kinds: [
      {kind: 'record-missing', count: 1},
      {kind: 'hourly-sum-differs', count: 1},
    ],
    differences: [{requests: 1, inputTokens: 10, outputTokens: 5, cost: '0.000005'}],
  });
  const another = await root.connect();
  await another.query('select pg_advisory_lock(7301947251)');
  t.is((await ask()).status, 409);
  await another.query('select pg_advisory_unlock(7301947251)');
  another.release();
  child.kill('SIGTERM');
  t.deepEqual(await once(child, 'exit'), [0, null]);
});

test('the command ends with 0 when all agrees, with 1 and a table when a promise is broken', async t => {
  const {cli, root} = await setUp(t);
  const good = await cli('');
  t.is(good.code, 0, good.err);
  t.regex(good.out, /^ledger requests {2,}1$/m);
  t.regex(good.out, /^all agrees$/m);

  await root.query('update windows set spent = spent + 1');
  const bad = await cli('--grace 0 --first 5');
  t.is(bad.code, 1);
  t.regex(bad.out, /^BROKEN +windows +window-differs +1$/m);
  t.regex(bad.out, /ledger: 5000; window: 5001 spent \+ 0 overage/);
  t.is(bad.err, 'sluice: the books do not agree: window-differs (1)\n');
  t.is((await cli('--checks requests,sums')).code, 0);
  t.is((await cli('--from 2026-01-01 --to 2026-01-02 --checks requests,sums')).code, 0);
  const json = await cli('--json');
  t.is(json.code, 1);
  t.true(JSON.parse(json.out).broken);
  t.regex(
    (await cli('--csv')).out,
    /^check,kind,subject,model,from,found\r\nwindows,window-differs,/,
  );
});

test('a note ends with 0, and with 1 when notes count', async t => {
  const {cli, root} = await setUp(t);
  await registerEndpoint(root, 'http://127.0.0.1:1', 'llama');
  const note = await cli('');
  t.is(note.code, 0);
  t.regex(note.out, /^note +engines +no-counters +1$/m);
  t.is((await cli('--strict')).code, 1);
  t.is((await cli('--grace soon')).code, 2);
  t.is((await cli('--checks money')).code, 2);
});
