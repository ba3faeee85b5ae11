import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {readFile, stat} from 'node:fs/promises';
import {type AddressInfo, createServer} from 'node:net';
import {join} from 'node:path';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {nowhere} from '../helpers/http.ts';
import {
  isAlive,
  makeDataFolder,
  openDataFolder,
  spawnSluice,
  startSluice,
} from '../helpers/sluice.ts';

let shared: Awaited<ReturnType<typeof openDataFolder>>;
test.before(async () => {
  shared = await openDataFolder();
});
test.after.always(() => shared.remove());

/** Every process whose command line names the folder, and every child of the runner. */
const processesOf = (dataFolder: string, runner?: number): string[] =>
  execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], {encoding: 'utf8'})
    .split('\n')
    .filter(line => {
      const [, ppid, ...args] = line.trim().split(/\s+/);
      return (
        args.join(' ').includes(dataFolder) || (runner !== undefined && Number(ppid) === runner)
      );
    });

const chat = (sluice: {url: string; apiKey: string; model: string}) =>
  fetch(`${sluice.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {authorization: `Bearer ${sluice.apiKey}`, 'content-type': 'application/json'},
    body: JSON.stringify({model: sluice.model, messages: [{role: 'user', content: 'Hello'}]}),
  });

test.serial(
  'a first start answers a request; a second start has the same key and the same books',
  async t => {
    const first = await startSluice(t, {dataFolder: shared.path});
    t.is(first.environment, 'development');
    t.is(first.model, 'simulated-chat');
    t.regex(first.apiKey, /^sk-/);
    t.deepEqual(JSON.parse(await readFile(join(first.dataFolder, 'dev.json'), 'utf8')), {
      url: first.url,
      apiKey: first.apiKey,
      adminKey: first.adminKey,
      model: first.model,
      environment: first.environment,
    });
    for (const name of ['dev.json', 'demo.json', 'secrets.json']) {
      t.is((await stat(join(first.dataFolder, name))).mode & 0o777, 0o600, name);
    }
    const answer = await chat(first);
    t.is(answer.status, 200, await answer.clone().text());
    t.true(((await answer.json()) as {usage: {total_tokens: number}}).usage.total_tokens > 0);
    const runner = first.process.pid as number;
    t.is(await first.stop(), 0);
    t.deepEqual(processesOf(first.dataFolder, runner), []);

    const second = await startSluice(t, {dataFolder: first.dataFolder});
    t.is(second.apiKey, first.apiKey);
    t.is(second.adminKey, first.adminKey);
    t.is((await chat(second)).status, 200);
    // The stop before waited for the books: what the first run answered is in them.
    const {org} = JSON.parse(await readFile(join(first.dataFolder, 'demo.json'), 'utf8'));
    const usage = await fetch(`${second.url}/admin/v1/usage?org=${org}&model=${first.model}`, {
      headers: {authorization: `Bearer ${second.adminKey}`},
    });
    const {data} = (await usage.json()) as {data: {requests: number}[]};
    t.true(data.reduce((sum, {requests}) => sum + Number(requests), 0) >= 1);
    t.is(await second.stop(), 0);
  },
);

test.serial(
  'a killed runner leaves no function behind, and the next start takes its data over',
  async t => {
    const first = await startSluice(t, {dataFolder: shared.path});
    const children = first.children();
    t.true(children.length >= 8);
    await first.kill();
    await eventually(
      () => {
        const alive = children.filter(isAlive);
        if (alive.length > 0) {
          throw new Error(`still there: ${alive}`);
        }
      },
      {timeoutMs: 60_000},
    );
    const second = await startSluice(t, {dataFolder: first.dataFolder});
    t.is(second.apiKey, first.apiKey);
    t.is((await chat(second)).status, 200);
    t.is(await second.stop(), 0);
  },
);

/** Asks for a stream of many tokens and returns once the first is here. */
const beginStream = async (sluice: {url: string; apiKey: string; model: string}) => {
  const response = await fetch(`${sluice.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {authorization: `Bearer ${sluice.apiKey}`, 'content-type': 'application/json'},
    body: JSON.stringify({
      model: sluice.model,
      stream: true,
      messages: [{role: 'user', content: 'Hello'}],
    }),
  });
  const reader = (response.body as ReadableStream<Uint8Array>)
    .pipeThrough(new TextDecoderStream())
    .getReader();
  const first = (await reader.read()).value ?? '';
  return async () => {
    let text = first;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += part.value;
    }
    return text;
  };
};

test.serial('Ctrl-C lets a running stream end, also when npm passes it on once more', async t => {
  const env = {TOKEN_DELAY_MS: '50', DEFAULT_TOKENS: '40'};
  const sluice = await startSluice(t, {dataFolder: shared.path, env});
  const readToEnd = await beginStream(sluice);
  sluice.process.kill('SIGINT');
  const stopped = sluice.stop();
  const text = await readToEnd();
  t.true(text.trimEnd().endsWith('data: [DONE]'));
  t.is(await stopped, 0);
});

test.serial('a second Ctrl-C breaks off what is running and leaves nothing behind', async t => {
  const env = {TOKEN_DELAY_MS: '1000', DEFAULT_TOKENS: '400'};
  const sluice = await startSluice(t, {dataFolder: shared.path, env});
  const readToEnd = await beginStream(sluice);
  const broken = t.throwsAsync(readToEnd());
  // Until the second is told from an echo of the first.
  await eventually(
    () => {
      sluice.process.kill('SIGINT');
      if (!sluice.lines.some(line => line.includes('breaking off'))) {
        throw new Error('not yet');
      }
    },
    {timeoutMs: 30_000, intervalMs: 300},
  );
  await (sluice.process.exitCode ?? once(sluice.process, 'exit'));
  await broken;
  t.is(sluice.process.exitCode, 1);
  t.deepEqual(processesOf(shared.path), []);
});

test.serial('a data folder in use is refused with the process that uses it', async t => {
  const sluice = await startSluice(t, {dataFolder: shared.path});
  const {ended, lines, output} = spawnSluice(t, [
    '--json',
    '--port',
    '0',
    '--data',
    sluice.dataFolder,
  ]);
  t.is(await ended, 1);
  t.deepEqual(lines, [`data folder in use by process ${sluice.process.pid}`]);
  t.deepEqual(output, []);
  t.is((await fetch(`${sluice.url}/healthz`)).status, 200);
});

test.serial('a function that dies is back soon, and its path is 503 until then', async t => {
  const sluice = await startSluice(t, {dataFolder: shared.path});
  const listed = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], {encoding: 'utf8'});
  const line = listed
    .split('\n')
    .find(
      text => text.includes('functions/hello/main.ts') && text.includes(` ${sluice.process.pid} `),
    );
  process.kill(Number.parseInt(line ?? '', 10), 'SIGKILL');
  await eventually(async () => {
    const {status} = await fetch(`${sluice.url}/hello`);
    if (status !== 503) {
      throw new Error(`got ${status}`);
    }
  });
  await eventually(async () => {
    const {status} = await fetch(`${sluice.url}/hello`);
    if (status === 503) {
      throw new Error('still away');
    }
  });
  t.true(sluice.lines.some(text => text.includes('hello was ended by SIGKILL')));
});

test.serial('a port in use is refused before anything is started', async t => {
  const other = createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const {port} = other.address() as AddressInfo;
  const folder = await makeDataFolder(t);
  const {ended, lines} = spawnSluice(t, ['--port', String(port), '--data', folder]);
  t.is(await ended, 1);
  t.deepEqual(lines, [`port ${port} is in use: choose another with --port`]);
  await t.throwsAsync(stat(join(folder, 'postgres')), {code: 'ENOENT'});
  await t.throwsAsync(stat(join(folder, 'lock')), {code: 'ENOENT'});
});

test.serial(
  'an option that is not known is refused with status 2 and the options that are',
  async t => {
    const {ended, lines} = spawnSluice(t, ['--prot', '1']);
    t.is(await ended, 2);
    t.is(lines[0], "Unknown option '--prot'");
    t.true(lines.some(line => line.includes('--upstream URL')));
  },
);

test.serial('an environment that does not exist is refused with status 2', async t => {
  const {ended, lines} = spawnSluice(t, ['--port', '0'], {ENVIRONMENT: 'moon'});
  t.is(await ended, 2);
  t.true(lines.some(line => line.includes('ENVIRONMENT: expected one of development')));
});

test.serial('a data folder that cannot be written is refused in words', async t => {
  // Nobody can make a folder below /sys, root neither.
  const {ended, lines} = spawnSluice(t, ['--port', '0', '--data', '/sys/sluice']);
  t.is(await ended, 1);
  t.is(lines.length, 1);
  t.regex(lines[0] as string, /^cannot keep data in \/sys\/sluice: /);
});

test.serial(
  'an upstream that is away is refused in words, and nothing is left running',
  async t => {
    const folder = await makeDataFolder(t);
    const upstream = nowhere;
    const {ended, lines} = spawnSluice(t, [
      '--port',
      '0',
      '--data',
      folder,
      '--upstream',
      upstream,
    ]);
    t.is(await ended, 1);
    t.true(
      lines.some(line => line.startsWith(`cannot use --upstream ${upstream}`)),
      lines.join('\n'),
    );
    t.deepEqual(processesOf(folder), []);
  },
);

test.serial('Ctrl-C during the start leaves nothing running', async t => {
  const folder = await makeDataFolder(t);
  const {child, ended, lines} = spawnSluice(t, ['--port', '0', '--data', folder]);
  await eventually(
    () => {
      if (!lines.some(line => line.includes('creating the database'))) {
        throw new Error('not yet');
      }
    },
    {timeoutMs: 30_000},
  );
  child.kill('SIGINT');
  t.is(await ended, 0);
  t.deepEqual(processesOf(folder), []);
  await t.throwsAsync(stat(join(folder, 'lock')), {code: 'ENOENT'});
});
