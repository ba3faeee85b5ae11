import type {RequestListener} from 'node:http';
import test, {type ExecutionContext} from 'ava';
import {runCli} from '../../functions/admin/cli/program.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const org = '0192f0c1-7a00-7000-8000-00000000000a';

const run = async (t: ExecutionContext, handler: RequestListener, ...args: string[]) => {
  const server = await createHttpTestServer(t, handler);
  const out: string[] = [];
  let err = '';
  const code = await runCli(args, {
    environment: {SLUICE_URL: server.url, SLUICE_ADMIN_KEY: 'the-admin-key-of-this-test'},
    folder: '/',
    out: text => out.push(text),
    err: text => {
      err += text;
    },
    terminal: false,
  });
  return {code, out, err};
};

test('an export is written as it comes, with what was asked for', async t => {
  let asked = '';
  const {code, out, err} = await run(
    t,
    (request, response) => {
      asked = request.url as string;
      // The second piece ends within a letter, and comes only when the first was read.
      response.write('a,b\r\n');
      setImmediate(() => {
        response.write(Buffer.from('1,é\r\n').subarray(0, 3));
        setImmediate(() => response.end(Buffer.from('1,é\r\n').subarray(3)));
      });
    },
    'usage',
    'export',
    '--org',
    org,
    '--from',
    '2026-11-01',
    '--granularity',
    'hour',
    '--format',
    'csv',
    '--model',
    'a b',
  );
  t.is(err, '');
  t.is(code, 0);
  t.is(out.join(''), 'a,b\r\n1,é\r\n');
  const {pathname, searchParams} = new URL(asked, 'http://x');
  t.is(pathname, '/admin/v1/usage/export');
  t.deepEqual(Object.fromEntries(searchParams), {
    granularity: 'hour',
    format: 'csv',
    from: '2026-11-01',
    model: 'a b',
    org,
  });
});

test('an export that breaks off is a failure, and so is a refusal', async t => {
  const broken = await run(
    t,
    (_request, response) => {
      response.write('a,b\r\n');
      setImmediate(() => response.destroy());
    },
    'usage',
    'export',
    '--org',
    org,
  );
  t.is(broken.code, 3);
  t.regex(broken.err, /does not answer/);
  const refused = await run(
    t,
    (_request, response) => {
      response.writeHead(400, {'content-type': 'application/problem+json'});
      response.end(JSON.stringify({code: 'bad_request', detail: 'format: expected csv'}));
    },
    'usage',
    'export',
    '--org',
    org,
    '--format',
    'xml',
  );
  t.is(refused.code, 2);
  t.deepEqual(refused.out, []);
});
