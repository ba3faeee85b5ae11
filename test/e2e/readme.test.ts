import assert from 'node:assert/strict';
import {execFile} from 'node:child_process';
import {readdir, readFile} from 'node:fs/promises';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import test from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {startSluice} from '../helpers/sluice.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = await readFile(`${root}/README.md`, 'utf8');
const blocks = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].map(match =>
  (match[1] as string).trim(),
);
const {scripts} = JSON.parse(await readFile(`${root}/package.json`, 'utf8')) as {
  scripts: Record<string, string>;
};

test('the first block starts Sluice, and the second does what it says with what the first one printed', async t => {
  t.is(blocks[0], 'npm start');
  t.regex(scripts.start ?? '', /knative\/local\/main\.ts$/);
  const sluice = await startSluice(t);
  const commands = (blocks[1] as string).replaceAll('\\\n', ' ').split('\n');
  const env = {
    ...process.env,
    SLUICE_API_KEY: sluice.apiKey,
    SLUICE_URL: sluice.url,
    SLUICE_ADMIN_KEY: sluice.adminKey,
  };
  const shell = async (command: string) =>
    (
      await run('sh', ['-c', command.replace('http://127.0.0.1:8080', sluice.url)], {
        cwd: root,
        env,
      })
    ).stdout;
  const answer = JSON.parse(await shell(commands[0] as string)) as {
    usage: {completion_tokens: number};
  };
  t.is(answer.usage.completion_tokens, 16);
  for (const command of commands.slice(1)) {
    t.regex(command, /^npm run -s sluice -- /);
    await eventually(async () => assert.match(await shell(command), /simulated-chat|month/), {
      timeoutMs: 60_000,
      intervalMs: 200,
    });
  }
  t.is(commands.length, 4);
});

test('the third block is what CI runs, the fourth the storm that its tests run', async t => {
  t.is(blocks[2], 'npm test');
  t.is(blocks[3], 'npm run chaos -- --seed 1');
  t.regex(scripts.chaos ?? '', /test\/chaos\/budget\/main\.ts$/);
  t.is(blocks.length, 4);
  t.regex(await readFile(`${root}/.ci/run`, 'utf8'), /^(?:exec )?npm test(?: -- --everything)?$/m);
});

test('the map names every folder that is there, and every function', async t => {
  const entries = await readdir(root, {withFileTypes: true});
  const folders = entries.filter(
    entry => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
  );
  const named = [...readme.matchAll(/^\| `([a-z]+)\/` \|/gm)].map(match => match[1]);
  t.deepEqual(named.sort(), folders.map(({name}) => name).sort());
  const functions = await readdir(`${root}/functions`, {withFileTypes: true});
  for (const {name} of functions.filter(entry => entry.isDirectory())) {
    t.true(readme.includes(`\`${name}\``), name);
  }
});

test('the README is one screen, and links to nothing that is not there', t => {
  t.true(readme.split('\n').length <= 80);
  t.notRegex(readme, /\]\((?!http)/);
});
