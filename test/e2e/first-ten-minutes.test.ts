/**
First ten minutes: a new operator with an empty folder, command by command, against a whole `npm start`. What each printed is the
transcript in the command's README. SLUICE_TRANSCRIPT=write writes it anew.
*/
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {chmod, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {startModel} from '../helpers/simulated-model.ts';
import {startSluice} from '../helpers/sluice.ts';
import {renderSteps, type Step, sectionOf, shapeOf, withSection} from '../helpers/transcript.ts';

const readme = fileURLToPath(new URL('../../functions/admin/cli/README.md', import.meta.url));
const cli = fileURLToPath(new URL('../../functions/admin/cli/main.ts', import.meta.url));
const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A folder as `npm start` leaves it, a shell in it, and a list of what was typed and printed. */
const setUp = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-first-'));
  await chmod(folder, 0o755);
  t.teardown(() => rm(folder, {recursive: true, force: true, maxRetries: 20, retryDelay: 100}));
  const sluice = await startSluice(t, {dataFolder: join(folder, '.sluice')});
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(
    join(bin, 'sluice'),
    `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(cli)} "$@"\n`,
  );
  await chmod(join(bin, 'sluice'), 0o755);
  const environment: Record<string, string | undefined> = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: folder,
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
  };
  const shell = (command: string) =>
    new Promise<{output: string; code: number}>((resolve, reject) => {
      const child = spawn('sh', ['-c', `exec 2>&1; ${command}`], {
        cwd: folder,
        env: environment,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let output = '';
      child.stdout.setEncoding('utf8').on('data', text => {
        output += text;
      });
      child.once('error', reject);
      child.once('close', code => resolve({output, code: code ?? 1}));
    });
  const steps: Step[] = [];
  /** `until`: events take a moment; only the last look is in the transcript. */
  const type = async (
    command: string,
    {say, code = 0, until}: {say?: string; code?: number; until?: RegExp} = {},
  ): Promise<string> => {
    const run = async () => {
      const ran = await shell(command);
      assert.equal(ran.code, code, `${command} ended with ${ran.code}: ${ran.output}`);
      if (until) {
        assert.match(ran.output, until);
      }
      return ran;
    };
    const ran = until ? await eventually(run, {timeoutMs: 60_000, intervalMs: 300}) : await run();
    steps.push({command, ...ran, ...(say === undefined ? {} : {say})});
    return ran.output;
  };
  /** Waits without a word in the transcript. */
  const wait = (command: string, until: RegExp) =>
    eventually(async () => assert.match((await shell(command)).output, until), {
      timeoutMs: 60_000,
      intervalMs: 300,
    });
  const note = (command: string, say?: string) =>
    steps.push({command, output: '', code: 0, ...(say === undefined ? {} : {say})});
  return {sluice, folder, environment, type, wait, note, steps};
};

const fieldOf = (output: string, name: string): string => {
  const found = new RegExp(`^${name} +(\\S+)$`, 'm').exec(output)?.[1];
  assert.ok(found, `${name} is not in ${output}`);
  return found;
};

/** What the page behind the link does, and who one is then. */
const logIn = async (url: string, link: string) => {
  const token = new URL(link).hash.slice(1);
  const answer = await fetch(`${url}/auth/link`, {
    method: 'POST',
    headers: {'content-type': 'application/json', origin: url, 'sec-fetch-site': 'same-origin'},
    body: JSON.stringify({token}),
  });
  assert.ok(answer.ok, `${answer.status} ${await answer.clone().text()}`);
  const cookie = answer.headers
    .getSetCookie()
    .map(one => one.split(';', 1)[0])
    .join('; ');
  const me = await fetch(`${url}/admin/v1/me`, {headers: {cookie}});
  const {name, grants} = (await me.json()) as {
    name: string;
    grants: {orgName: string; role: string}[];
  };
  return [name, grants[0]?.orgName, grants[0]?.role];
};

test('a new operator gets from an empty folder to a charged, explained and cut-off request', async t => {
  t.timeout(240_000);
  const {sluice, folder, environment, type, wait, note, steps} = await setUp(t);
  const model = await startModel(t, {models: [{name: 'tiny', maxModelLength: 8_192}]});
  const ask = (name: string, more = '') =>
    `curl -s${more} ${sluice.url}/v1/chat/completions -H "authorization: Bearer $SLUICE_API_KEY" -H 'content-type: application/json' -d '{"model": "${name}", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 16}'`;

  await type('sluice doctor', {
    say: 'Is everything there? `npm start` runs in another terminal, in this folder. The command finds its address and key in `.sluice/dev.json`.',
  });
  await type('sluice whoami');
  t.regex(
    await type('sluice org create acme', {say: 'A tenant, a person who runs it, and a team.'}),
    /^state +active$/m,
  );
  const link = fieldOf(
    await type('sluice user create --email ada@example.com --org acme --role owner --login-link'),
    'login link',
  );
  t.deepEqual(await logIn(sluice.url, link), ['ada@example.com', 'acme', 'owner']);
  await type('sluice project create web --org acme');
  await type('sluice budget create --org acme --limit 5.00 --thresholds 50,80,100', {
    say: 'What it may spend in a month. No request can take it over that.',
  });
  await type(
    `sluice model register tiny --environment development --endpoint ${model.url} --price 0.50,1.50`,
    {say: 'A model: where it is served, and what a million tokens of it cost.'},
  );
  const deployed = await type('sluice deployment status --no-kubernetes');
  t.regex(deployed, /tiny +development +ready/);
  const created = await type('sluice key create site --project web --requests 60 --models tiny', {
    say: 'A key for clients. It is shown this once.',
  });
  environment.SLUICE_API_KEY = fieldOf(created, 'key');
  note(`export SLUICE_API_KEY=${environment.SLUICE_API_KEY}`);
  const answered = await type(ask('tiny', ' -D headers'), {
    say: 'The first request.',
    until: /"choices"/,
  });
  t.regex(answered, /"completion_tokens": ?16/);
  const id = /^x-request-id: (\S+)/im.exec(await readFile(join(folder, 'headers'), 'utf8'))?.[1];
  await type('grep x-request-id headers');
  await type('sluice usage --org acme', {
    say: 'What it used, what it was charged, and why.',
    until: /tiny/,
  });
  await type(`sluice ledger --request ${id}`, {until: /result/});
  t.regex(await type(`sluice explain ${id}`, {until: /usage recorded +true/}), /settled/);
  await type('sluice budget list --org acme');
  await wait('sluice key show site', /last used at/);
  const rotated = await type('sluice key rotate site --overlap 1h', {
    say: 'The key gets another secret without a gap: for an hour both are good.',
  });
  environment.SLUICE_API_KEY = fieldOf(rotated, 'key');
  note(`export SLUICE_API_KEY=${environment.SLUICE_API_KEY}`);
  const status = ask('tiny', " -o /dev/null -w '%{http_code}\\n'");
  await type(status, {until: /^200$/m});
  await type('sluice org suspend acme --now --reason "invoice 7 is open"', {
    say: 'The whole tenant is stopped, with what runs, and let go on.',
  });
  t.regex(await type(ask('tiny'), {until: /error/}), /suspended/);
  await type('sluice org resume acme');
  await type(status, {until: /^200$/m});
  await type('sluice key revoke site --now', {
    say: 'A key that leaked ends for ever, on every gateway within a second.',
  });
  t.regex(await type(ask('tiny'), {until: /revoked/}), /"code":"unauthorized"/);
  t.regex(
    await type('sluice audit list --org acme', {
      say: 'Who did all that, and what is in need of care.',
    }),
    /suspendOrg/,
  );
  await type('sluice deadletter list');
  await type('sluice key create site --project nothing', {
    say: 'A mistake says what it is, and the exit code what kind.',
    code: 5,
  });

  // The model server that npm start brings along.
  const [ofSluice = sluice.url] = deployed.match(/http:\/\/127\.0\.0\.1:\d+/) ?? [];
  const page = renderSteps(steps, {
    [sluice.url]: 'http://127.0.0.1:8080',
    [model.url]: 'http://127.0.0.1:8000',
    [ofSluice]: 'http://127.0.0.1:8001',
    [folder]: '~/sluice',
  });
  const document = await readFile(readme, 'utf8');
  if (process.env.SLUICE_TRANSCRIPT === 'write') {
    await writeFile(readme, withSection(document, 'transcript', page));
  }
  t.is(
    shapeOf(sectionOf(await readFile(readme, 'utf8'), 'transcript')),
    shapeOf(page),
    'the transcript in functions/admin/cli/README.md is old: SLUICE_TRANSCRIPT=write writes it anew',
  );
  t.notRegex(page, /s?sk-[a-z0-9]{16}-(?!x{43})/);
});
