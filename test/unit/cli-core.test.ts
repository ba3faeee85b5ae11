import {execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {chmod, mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import test, {type ExecutionContext} from 'ava';
import {runCli, type Surroundings} from '../../functions/admin/cli/program.ts';
import {createProgress} from '../../functions/admin/cli/shell/progress.ts';
import {createHttpTestServer} from '../helpers/http.ts';

type Call = {method: string; path: string; body: unknown; headers: Record<string, unknown>};
type Answer = readonly [status: number, body: unknown];

const id = '0192f0c1-7a00-7000-8000-00000000000a';
const secret = `sk-${'a'.repeat(16)}-${'B'.repeat(43)}`;
const budget = {
  id,
  unit: 'usd',
  period: 'day',
  limit: '5.00',
  spent: '1.00',
  leased: '0.00',
  remaining: '4.00',
  available: '4.00',
  paused: false,
  thresholds: [50],
  window: null,
};
const folderFor = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-core-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  return folder;
};

/** Answers by `METHOD /path`; of a list of answers the next one each time, the last for ever. */
const setUp = async (
  t: ExecutionContext,
  answers: Record<string, Answer | readonly Answer[]> = {},
) => {
  const calls: Call[] = [];
  const {url} = await createHttpTestServer(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const path = (request.url as string).replace('/admin/v1', '');
    const text = Buffer.concat(chunks).toString();
    const {method = '', headers} = request;
    calls.push({method, path, headers, body: text === '' ? undefined : JSON.parse(text)});
    const found = answers[`${method} ${path}`] ?? [404, {code: 'not_found', detail: `no ${path}`}];
    const many = (typeof found[0] === 'number' ? [found] : found) as readonly Answer[];
    const asked = calls.filter(call => call.method === method && call.path === path).length;
    const [status, body] = many[Math.min(asked, many.length) - 1] as Answer;
    response.writeHead(status, {'content-type': 'application/json', 'x-request-id': 'r1'});
    response.end(body === undefined ? undefined : JSON.stringify(body));
  });
  const run = async (args: readonly string[] | string, more: Partial<Surroundings> = {}) => {
    const written = {out: '', err: ''};
    const code = await runCli(typeof args === 'string' ? args.split(' ') : args, {
      folder: '/',
      out: text => {
        written.out += text;
      },
      err: text => {
        written.err += text;
      },
      terminal: false,
      wait: async () => {},
      ...more,
      environment: {SLUICE_URL: url, SLUICE_ADMIN_KEY: 'the-admin-key', ...more.environment},
    });
    return {code, ...written};
  };
  return {url, calls, run};
};
const shown = {[`GET /budgets/${id}`]: [200, budget]} as const;

test('how it is shown can be said before the command, after it, and in the short form', async t => {
  const {run} = await setUp(t, shown);
  const wanted = `${JSON.stringify(budget)}\n`;
  for (const args of [
    `--output json budget show ${id}`,
    `budget --output json show ${id}`,
    `budget show ${id} -o json`,
    `budget show ${id} --format=json`,
    `--json budget show ${id}`,
    `budget show ${id} --json`,
  ]) {
    t.deepEqual(await run(args), {code: 0, out: wanted, err: ''}, args);
  }
  t.regex((await run(`-o csv budget show ${id}`)).out, /^id,of,unit/);
  t.is((await run(`--csv budget show ${id} -o json`)).code, 2, 'one or the other');
  t.is((await run(`budget show ${id} -o xml`)).code, 2);
});

test('no global option is sent to the API', async t => {
  const {run, calls} = await setUp(t, {'GET /models?status=ready': [200, {data: []}]});
  t.is((await run('model list --status ready --quiet --verbose --yes -o json')).code, 0);
  t.deepEqual(
    calls.map(({path}) => path),
    ['/models?status=ready'],
  );
});

test('--quiet leaves notes out and never an error', async t => {
  const {run} = await setUp(t, {'GET /models': [200, {data: []}]});
  t.is((await run('model list')).err, 'nothing\n');
  t.is((await run('--quiet model list')).err, '');
  t.regex((await run(`--quiet budget show ${id}`)).err, /^sluice: no /);
});

test('--verbose tells requests, answers and request ids, and no secret', async t => {
  const {run} = await setUp(t, {...shown, 'POST /budgets': [201, {...budget, key: secret}]});
  const {err} = await run(`budget show ${id} --verbose`);
  t.regex(err, new RegExp(`^> GET http://127.0.0.1:\\d+/admin/v1/budgets/${id}$`, 'm'));
  t.regex(err, /^< 200 GET .* in \d+ ms, request r1$/m);
  const sent = await run(['-v', 'budget', 'create', '--key', id, '--limit', '1', '--unit', secret]);
  t.regex(sent.err, /"unit":"sk-aaaa…"/);
  t.notRegex(err + sent.err, /the-admin-key|BBBB/);
});

test('a dry run sends nothing but reads, and tells what would change', async t => {
  const {run, calls} = await setUp(t, shown);
  const changed = await run(`budget set ${id} --limit 7.50 --pause --dry-run`);
  t.is(changed.code, 0);
  t.is(
    changed.out,
    `would send PATCH /admin/v1/budgets/${id}\n  limit: "5.00" -> "7.50"\n  paused: false -> true\n`,
  );
  t.is(changed.err, 'nothing was changed\n');
  const same = await run(`--dry-run budget set ${id} --limit 5.00`);
  t.regex(same.out, /all of it is so already/);
  const made = await run(`budget create --key ${id} --limit 1.00 --dry-run -o json`);
  t.deepEqual(JSON.parse(made.out), {
    dryRun: true,
    method: 'POST',
    path: '/admin/v1/budgets',
    body: {key: id, limit: '1.00', unit: 'usd', period: 'month'},
  });
  t.deepEqual([...new Set(calls.map(({method}) => method))], ['GET']);
});

test('a dry run of what is not there says so', async t => {
  const {run} = await setUp(t);
  t.is((await run(`budget set ${id} --limit 7.50 --dry-run`)).code, 5);
});

test('--watch shows it again until it is interrupted, and ends well', async t => {
  const {run} = await setUp(t, {
    [`GET /budgets/${id}`]: [
      [200, budget],
      [200, {...budget, spent: '2.00'}],
    ],
  });
  const watching = async (terminal: boolean, ...args: string[]) => {
    const interrupt = new AbortController();
    const waited: number[] = [];
    const answer = await run(['budget', 'show', id, ...args], {
      terminal,
      interrupted: () => interrupt.signal,
      wait: async ms => {
        if (waited.push(ms) === 3) {
          interrupt.abort();
        }
      },
    });
    return {...answer, waited};
  };
  const appended = await watching(false, '--csv', '--watch');
  t.is(appended.code, 0);
  t.is(appended.out.match(/^id,of/gm)?.length, 3);
  t.deepEqual(appended.waited, [2_000, 2_000, 2_000]);
  const cleared = await watching(true, '--watch=0.5');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what clears a terminal.
  t.is(cleared.out.match(/\u001b\[H\u001b\[2J/g)?.length, 3);
  t.deepEqual(cleared.waited, [500, 500, 500]);
  t.is((await run(`budget show ${id} --watch soon`)).code, 2);
});

test('an interrupt ends a watching program with 0', async t => {
  const {url} = await setUp(t, shown);
  const main = fileURLToPath(new URL('../../functions/admin/cli/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, 'budget', 'show', id, '--watch=0.1', '--csv'], {
    env: {...process.env, SLUICE_URL: url, SLUICE_ADMIN_KEY: 'the-admin-key'},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const ended = once(child, 'close');
  let looks = 0;
  // To its end: who stops reading gives it another reason to end.
  for await (const text of child.stdout.setEncoding('utf8')) {
    const before = looks;
    looks += (text as string).match(/^id,of/gm)?.length ?? 0;
    if (before < 3 && looks >= 3) {
      child.kill('SIGINT');
    }
  }
  t.deepEqual(await ended, [0, null]);
});

test('what takes a while is told at a terminal, and gone when it is done', async t => {
  let written = '';
  const shownOnce = Promise.withResolvers<void>();
  const progress = createProgress({
    write: text => {
      written += text;
      shownOnce.resolve();
    },
    afterMs: 1,
  });
  await progress('waiting for it', () => shownOnce.promise);
  t.true(written.startsWith('\r\u001b[Kwaiting for it ('));
  t.true(written.endsWith('\r\u001b[K'));
  const {run} = await setUp(t, shown);
  t.is((await run(`budget show ${id}`)).err, '', 'nobody looks at it');
});

test('what changes something is not watched', async t => {
  const {run, calls} = await setUp(t, shown);
  const {code, err} = await run(`budget set ${id} --limit 7.50 --watch`);
  t.is(code, 2);
  t.regex(err, /--watch: only for what shows something/);
  t.is(calls.length, 0);
});

test('a server that is away is asked again after 1, 2 and 4 s, which is told', async t => {
  const {run} = await setUp(t, {
    [`GET /budgets/${id}`]: [
      [503, {code: 'unavailable', detail: 'it is away'}],
      [503, {code: 'unavailable', detail: 'it is away'}],
      [200, budget],
    ],
  });
  const {code, err} = await run(`budget show ${id}`);
  t.is(code, 0);
  t.is(err.match(/it is away; it is tried again in \d\.\d s\n/g)?.length, 2);
  t.is((await run(`budget show ${id} --quiet`)).err, '');
});

test('what is made is sent again with one Idempotency-Key, a change is not', async t => {
  const {run, calls} = await setUp(t, {
    'POST /budgets': [
      [503, {code: 'unavailable', detail: 'it is away'}],
      [201, budget],
    ],
    [`PATCH /budgets/${id}`]: [503, {code: 'unavailable', detail: 'it is away'}],
  });
  t.is((await run(`budget create --key ${id} --limit 1.00`)).code, 0);
  const keys = calls.map(({headers}) => headers['idempotency-key']);
  t.is(keys.length, 2);
  t.is(new Set(keys).size, 1);
  t.regex(String(keys[0]), /^[0-9a-f-]{36}$/);
  t.is((await run(`budget set ${id} --limit 1.00`)).code, 1);
  t.is(calls.filter(({method}) => method === 'PATCH').length, 1);
});

test('what is dangerous is asked at a terminal and refused without one', async t => {
  const model = {id, name: 'a', environment: 'development', endpoints: [], price: 'free'};
  const answers = {
    'GET /models': [200, {data: [model]}],
    [`DELETE /models/${id}`]: [204, undefined],
  } as const;
  const {run, calls} = await setUp(t, answers);
  const deleted = () => calls.filter(({method}) => method === 'DELETE').length;
  t.like(await run('model remove a'), {code: 2});
  t.is(deleted(), 0);
  const questions: string[] = [];
  const asking = (answer: string) => ({
    ask: async (question: string) => {
      questions.push(question);
      return answer;
    },
  });
  t.like(await run('model remove a', asking('n')), {code: 1, err: 'sluice: nothing was changed\n'});
  t.is(deleted(), 0);
  t.is((await run('model remove a', asking('yes'))).code, 0);
  t.is((await run('model remove a --yes', asking('n'))).code, 0);
  t.is(deleted(), 2);
  t.deepEqual(questions.length, 2);
  t.regex(questions[0] ?? '', /^This will take the model a away .*\[y\/N\] $/);
});

test('colours are forced by FORCE_COLOR, and never in JSON', async t => {
  const {run} = await setUp(t, shown);
  const environment = {FORCE_COLOR: '1'};
  const isColoured = (text: string) => text.includes('\u001b[');
  t.true(isColoured((await run(`budget show ${id}`, {environment})).out));
  t.false(isColoured((await run(`budget show ${id} --json`, {environment})).out));
});

test('a misspelt command or option is told what may have been meant', async t => {
  const {run} = await setUp(t);
  t.regex((await run('budgte')).err, /Did you mean budget\?/);
  t.regex((await run('budget lst')).err, /Did you mean budget list\?/);
  t.regex((await run('model registr a')).err, /Did you mean model register\?/);
  t.regex((await run('model list --statsu ready')).err, /Did you mean --status\?/);
});

test('an export to a file is whole or not there, and its owner’s alone', async t => {
  const folder = await folderFor(t);
  const file = join(folder, 'usage.csv');
  let isWhole = false;
  const {url} = await createHttpTestServer(t, (_request, response) => {
    response.writeHead(200, {'content-type': 'text/csv'});
    response.write('a,b\r\n', () => (isWhole ? response.end('1,2\r\n') : response.destroy()));
  });
  const {run} = await setUp(t);
  const exported = () =>
    run(['usage', 'export', '--org', id, '--file', file], {environment: {SLUICE_URL: url}});
  t.is((await exported()).code, 3);
  await t.throwsAsync(stat(file));
  isWhole = true;
  const {code, out, err} = await exported();
  t.deepEqual({code, out, err}, {code: 0, out: '', err: `wrote 10 bytes to ${file}\n`});
  t.is(await readFile(file, 'utf8'), 'a,b\r\n1,2\r\n');
  t.is((await stat(file)).mode & 0o777, 0o600);
});

test('a context is made, listed with its key masked, used and deleted', async t => {
  const folder = await folderFor(t);
  const {url, run, calls} = await setUp(t, shown);
  const environment = {
    SLUICE_CONFIG: join(folder, 'config.json'),
    SLUICE_URL: undefined,
    SLUICE_ADMIN_KEY: undefined,
  };
  const at = (args: string | readonly string[], more: Partial<Surroundings> = {}) =>
    run(args, {environment, ...more});
  t.like(await at('context current'), {code: 5});
  const made = await at(`context set dev --url ${url}/ --key-stdin`, {
    read: async () => `${secret}\n`,
  });
  t.deepEqual(made, {code: 0, out: '', err: `context dev is ${url}, and used\n`});
  t.is((await stat(environment.SLUICE_CONFIG)).mode & 0o777, 0o600);
  await at(['context', 'set', 'prod', '--url', 'https://prod.example', '--key-command', 'echo k']);
  const {out} = await at('context list');
  t.is(
    out.replaceAll(/ +/g, ' '),
    `CURRENT NAME URL KEY\n* dev ${url} sk-aaaa…\n- prod https://prod.example printed by: echo k\n`,
  );
  t.is((await at(`budget show ${id}`)).code, 0);
  t.is(calls.at(-1)?.headers.authorization, `Bearer ${secret}`);
  t.is((await at('context use prod')).code, 0);
  t.like(JSON.parse((await at('context current -o json')).out), {name: 'prod'});
  t.is((await at(`--context dev budget show ${id}`)).code, 0);
  t.is((await at('--context none model list')).code, 2);
  t.is((await at('context delete dev')).code, 2);
  t.is((await at('context delete dev --yes')).code, 0);
  t.notRegex(await readFile(environment.SLUICE_CONFIG, 'utf8'), /sk-/);
});

test('a key is sent to its own server only', async t => {
  const folder = await folderFor(t);
  const one = await setUp(t, shown);
  const other = await setUp(t, shown);
  const environment = {
    SLUICE_CONFIG: join(folder, 'config.json'),
    SLUICE_URL: undefined,
    SLUICE_ADMIN_KEY: undefined,
  };
  const run = (args: string, more = {}) => one.run(args, {environment: {...environment, ...more}});
  await one.run(`context set one --url ${one.url} --key-stdin`, {
    environment,
    read: async () => 'key-of-one',
  });
  const stray = await run(`--url ${other.url} budget show ${id}`);
  t.is(stray.code, 2);
  t.regex(stray.err, /no key for/);
  const moved = await run(`context set one --url ${other.url}`);
  t.is(moved.code, 2, 'a changed URL does not take the key along');
  t.is(other.calls.length, 0);
  // What is typed goes before the environment, and the environment before the context.
  t.is((await run(`budget show ${id}`, {SLUICE_URL: other.url, SLUICE_ADMIN_KEY: 'k2'})).code, 0);
  t.is(other.calls[0]?.headers.authorization, 'Bearer k2');
  const flagged = {SLUICE_URL: other.url, SLUICE_ADMIN_KEY: 'k2'};
  t.is((await run(`budget show ${id} --context one`, flagged)).code, 0);
  t.is((await run(`budget show ${id} --url ${one.url}`, flagged)).code, 0);
  t.true(one.calls.every(({headers}) => headers.authorization === 'Bearer key-of-one'));
  t.is(one.calls.length, 2);
});

test('a command prints the key when it is needed, once', async t => {
  const folder = await folderFor(t);
  const {url, run, calls} = await setUp(t, {
    'GET /orgs?limit=10': [200, {data: [{id, name: 'a'}]}],
    [`GET /budgets?org=${id}`]: [200, {data: []}],
  });
  const count = join(folder, 'count');
  const command = join(folder, 'print-key');
  await writeFile(command, `#!/bin/sh\necho x >> ${count}\necho the-printed-key\n`);
  await chmod(command, 0o755);
  const environment = {
    SLUICE_CONFIG: join(folder, 'config.json'),
    SLUICE_URL: undefined,
    SLUICE_ADMIN_KEY: undefined,
  };
  const at = (args: readonly string[]) => run(args, {environment});
  await at(['context', 'set', 'one', '--url', url, '--key-command', command]);
  t.is((await at(['budget', 'list'])).code, 0);
  t.true(calls.every(({headers}) => headers.authorization === 'Bearer the-printed-key'));
  t.is(await readFile(count, 'utf8'), 'x\n');
  await at(['context', 'set', 'one', '--url', url, '--key-command', 'exit 3']);
  const failed = await at(['budget', 'list']);
  t.is(failed.code, 2);
  t.regex(failed.err, /command that prints the key failed: it ended with 3/);
});

test('a server without TLS elsewhere and a configuration that others can read are warned of', async t => {
  const folder = await folderFor(t);
  const {run} = await setUp(t);
  const config = join(folder, 'config.json');
  await writeFile(config, '{"contexts": {}}', {mode: 0o644});
  const environment = {SLUICE_CONFIG: config, SLUICE_URL: 'http://sluice.invalid'};
  const {code, err} = await run('model list', {environment});
  t.is(code, 3);
  t.regex(err, /sluice\.invalid is not encrypted: whoever is on the way can read the key/);
  t.regex(err, /config\.json can be read by others: chmod 600/);
  await writeFile(config, '{"contexts": []');
  const broken = await run('context list', {environment});
  t.is(broken.code, 2);
  t.regex(broken.err, /is no configuration of Sluice/);
});

test('the versions are told', async t => {
  const {run} = await setUp(t);
  const {out} = await run('version --json');
  t.like(JSON.parse(out), {api: '1.0.0', node: process.versions.node});
  t.regex((await run('--version')).out, /^\d+\.\d+\.\d+\n$/);
});

const complete = async (t: ExecutionContext, line: string) => {
  const {run} = await setUp(t);
  const file = join(await folderFor(t), 'completion');
  await writeFile(file, (await run('completion bash')).out);
  const script = `source ${file}; COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _sluice; echo "\${COMPREPLY[*]}"`;
  const {stdout} = await promisify(execFile)('bash', ['-c', script]);
  return stdout.trim().split(' ');
};

test('bash completes commands, options and their values', async t => {
  t.deepEqual(await complete(t, 'sluice bud'), ['budget']);
  t.deepEqual(await complete(t, 'sluice budget topup'), ['topup', 'topups']);
  t.true((await complete(t, 'sluice budget create --')).includes('--thresholds'));
  t.deepEqual(await complete(t, 'sluice --output json budget s'), ['show', 'set']);
  t.deepEqual(await complete(t, 'sluice budget list --output ""'), ['table', 'json', 'csv']);
  t.deepEqual(await complete(t, 'sluice nothing'), ['']);
});

test('completions for zsh and fish name every command', async t => {
  const {run} = await setUp(t);
  const zsh = (await run('completion zsh')).out;
  t.regex(zsh, /^#compdef sluice\n/);
  t.regex(zsh, /"budget"\) echo ".*topups.*"/);
  const fish = (await run('completion fish')).out;
  t.regex(fish, /^complete -c sluice -f -n '__sluice_at budget' -a topups -d '.+'$/m);
  t.is((await run('completion tcsh')).code, 2);
});
