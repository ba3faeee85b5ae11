import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {chmod, cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile} from 'node:fs/promises';
import {hostname, tmpdir} from 'node:os';
import {delimiter, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';

const bootstrap = fileURLToPath(new URL('../../knative/local/bootstrap.js', import.meta.url));

/** An npm that leaves a line a run and what the real one leaves, after as long as `hold` says. */
const workingNpm = `#!/bin/sh
echo "$@" >> npm-runs
while [ -e hold ]; do sleep 0.05; done
mkdir -p node_modules/node/bin && : > node_modules/node/bin/node
`;

const createProject = async (t: ExecutionContext, npm = workingNpm) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bootstrap-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  await mkdir(join(folder, 'knative/local'), {recursive: true});
  await mkdir(join(folder, 'bin'));
  await cp(bootstrap, join(folder, 'knative/local/bootstrap.js'));
  await writeFile(
    join(folder, 'package.json'),
    '{"type": "module", "dependencies": {}, "scripts": {}}',
  );
  await writeFile(join(folder, 'package-lock.json'), '{}');
  await writeFile(join(folder, 'bin/npm'), npm);
  await chmod(join(folder, 'bin/npm'), 0o755);
  const start = () => {
    const child = spawn(process.execPath, ['knative/local/bootstrap.js'], {
      cwd: folder,
      env: {PATH: [join(folder, 'bin'), '/usr/bin', '/bin'].join(delimiter)},
    });
    t.teardown(() => child.kill('SIGKILL'));
    let output = '';
    child.stdout.on('data', chunk => {
      output += chunk;
    });
    child.stderr.on('data', chunk => {
      output += chunk;
    });
    const ended = new Promise<{code: number | null; output: string}>(resolve => {
      child.on('close', code => resolve({code, output}));
    });
    return {child, ended, output: () => output};
  };
  const runs = async () =>
    (await readFile(join(folder, 'npm-runs'), 'utf8').catch(() => '')).split('\n').filter(Boolean);
  return {folder, start, run: () => start().ended, runs};
};

test('a node_modules that is a link is never emptied for the sake of another lock', async t => {
  const {folder, run, runs} = await createProject(t);
  const elsewhere = await mkdtemp(join(tmpdir(), 'sluice-elsewhere-'));
  t.teardown(() => rm(elsewhere, {recursive: true, force: true}));
  await symlink(elsewhere, join(folder, 'node_modules'));
  const {code, output} = await run();
  t.is(code, 1);
  t.regex(output, /node_modules is a link/);
  t.deepEqual(await runs(), []);
});

test('what is missing is installed, once', async t => {
  const {run, runs} = await createProject(t);
  t.deepEqual(await run(), {code: 0, output: 'Installing dependencies …\n'});
  t.deepEqual(await run(), {code: 0, output: ''});
  t.deepEqual(await runs(), [
    'ci --include=dev --include=optional --no-audit --no-fund --loglevel=error',
  ]);
});

test('another lock file or another dependency is installed, another script is not', async t => {
  const {folder, run, runs} = await createProject(t);
  await run();
  await writeFile(
    join(folder, 'package.json'),
    '{"type": "module", "dependencies": {}, "scripts": {"new": "true"}}',
  );
  await run();
  t.is((await runs()).length, 1);
  await writeFile(join(folder, 'package.json'), '{"type": "module", "dependencies": {"a": "1"}}');
  await run();
  t.is((await runs()).length, 2);
  await writeFile(join(folder, 'package-lock.json'), '{"changed": true}');
  await run();
  t.is((await runs()).length, 3);
});

test('two at once install once, and the second waits for the first', async t => {
  const {folder, start, runs} = await createProject(t);
  await writeFile(join(folder, 'hold'), '');
  const first = start();
  await eventually(async () => assert.equal((await runs()).length, 1));
  const second = start();
  await eventually(() => stat(join(folder, '.sluice/install.lock')));
  await rm(join(folder, 'hold'));
  t.is((await first.ended).code, 0);
  t.is((await second.ended).code, 0);
  t.is((await runs()).length, 1);
});

test('a failing npm is shown whole, and the next start tries again', async t => {
  const {run, folder} = await createProject(t, '#!/bin/sh\necho registry is away >&2\nexit 3\n');
  for (let attempt = 0; attempt < 2; attempt++) {
    const {code, output} = await run();
    t.is(code, 1);
    t.regex(output, /registry is away[\s\S]*npm ci failed \(exit code 3\)/);
  }
  await t.throwsAsync(stat(join(folder, '.sluice/install.lock')), {code: 'ENOENT'});
});

test('an npm that runs no install scripts is told of', async t => {
  const {run} = await createProject(t, '#!/bin/sh\nmkdir -p node_modules\n');
  const {code, output} = await run();
  t.is(code, 1);
  t.regex(output, /ignore-scripts/);
});

test('the lock of a process that has ended is taken over', async t => {
  const {folder, run} = await createProject(t);
  const gone = spawn(process.execPath, ['-e', '']);
  await new Promise(resolve => gone.on('close', resolve));
  await mkdir(join(folder, '.sluice/install.lock'), {recursive: true});
  await writeFile(
    join(folder, '.sluice/install.lock/holder'),
    JSON.stringify({host: hostname(), pids: [gone.pid]}),
  );
  t.is((await run()).code, 0);
});

test('an npm that outlives its bootstrap still holds the lock', async t => {
  const {folder, start, runs} = await createProject(t);
  await writeFile(join(folder, 'hold'), '');
  const first = start();
  await eventually(async () =>
    assert.equal(
      JSON.parse(await readFile(join(folder, '.sluice/install.lock/holder'), 'utf8')).pids.length,
      2,
    ),
  );
  first.child.kill('SIGKILL');
  const second = start();
  let ended = false;
  second.ended.then(() => {
    ended = true;
  });
  await eventually(() => assert.match(second.output(), /Waiting for another installation/));
  t.false(ended);
  t.is((await runs()).length, 1);
  await rm(join(folder, 'hold'));
  t.is((await second.ended).code, 0);
});
