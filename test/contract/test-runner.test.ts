import {spawn} from 'node:child_process';
import {cp, mkdir, mkdtemp, rm, symlink, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What `runAva` says about one test file, with AVA in a folder of its own. */
const runTest = async (t: ExecutionContext, source: string, {timeout = '3m'} = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-runner-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  await mkdir(join(folder, 'test'));
  await cp(join(root, 'test/runner'), join(folder, 'test/runner'), {recursive: true});
  await cp(join(root, 'ava.config.js'), join(folder, 'ava.config.js'));
  await writeFile(join(folder, 'package.json'), '{"type": "module"}');
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  await writeFile(join(folder, 'test/a.test.ts'), `import test from 'ava';\n${source}`);
  await writeFile(
    join(folder, 'run.ts'),
    `import {runAva} from './test/runner/ava.ts';
const {signal} = new AbortController();
const result = await runAva({args: ['--timeout=${timeout}'], environment: process.env, verbose: false, signal});
console.log(JSON.stringify(result));`,
  );
  const child = spawn(process.execPath, ['run.ts'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  for await (const chunk of child.stdout) {
    output += chunk;
  }
  return {output, result: JSON.parse(output.trim().split('\n').at(-1) ?? '')};
};

test('a test that fails is told with what was expected', async t => {
  const {output, result} = await runTest(
    t,
    `test('a', t => t.is(1, 2)); test('b', t => t.pass());`,
  );
  t.like(result, {passed: 1, failed: 1});
  t.regex(output, /not ok \d - a\n[\s\S]*- 1\n[\s\S]*\+ 2/);
});

test('a test that hangs is named', async t => {
  const {result} = await runTest(
    t,
    `test('hangs', () => new Promise(resolve => setTimeout(resolve, 600_000)));`,
    // Longer than a busy machine takes to come to the test.
    {timeout: '10s'},
  );
  t.is(result.failed, 1);
  t.regex(result.failures[0], /^not ok 1 - hangs\n[\s\S]*inactivity/);
});

test('a test that ends the process is named', async t => {
  const {result} = await runTest(t, `test('exits', () => process.exit(0));`);
  t.is(result.failed, 1);
  t.regex(result.failures[0], /^not ok 1 - exits\n/);
});

test('an error that nobody catches fails the run', async t => {
  const {result} = await runTest(
    t,
    `test('a', t => { setTimeout(() => { throw new Error('boom'); }, 0); t.pass(); });`,
  );
  t.true(result.failed > 0);
  t.regex(result.failures[0], /boom/);
});
