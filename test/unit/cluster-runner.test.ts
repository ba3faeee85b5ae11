/** The runner's part of the cluster: where one comes from and how it ends, and how tests are counted that do not run. */
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {openCluster, whyNoCluster} from '../runner/cluster.ts';
import {clusterFiles, planRuns} from '../runner/cluster-plan.ts';
import {countTests} from '../runner/counting.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** `npm run test:cluster` in CI, of a person who says no more than this. */
const runAs = async (said: Readonly<Record<string, string>>) => {
  const {PATH, HOME} = process.env;
  const child = spawn(process.execPath, ['test/run.ts', '--cluster'], {
    cwd: root,
    env: {PATH, HOME, CI: 'true', ...said},
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return {code, output};
};

const open = (t: ExecutionContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cluster-runner-'));
  t.teardown(() => rmSync(folder, {recursive: true}));
  const at = (name: string) => join(folder, name);
  return {at, log: at('cluster.log'), signal: new AbortController().signal};
};

test('a cluster that is there is taken as it is, and left as it is', async t => {
  const {at, log, signal} = open(t);
  const environment = {KUBECONFIG: '/there', CLUSTER_UP: `touch ${at('up')}`};
  const cluster = await openCluster({environment, log, signal});
  t.is(cluster.kubeconfig, '/there');
  await cluster.stop();
  t.false(existsSync(at('up')));
});

test('one that is started is stopped, and what its commands say is in a file', async t => {
  const {at, log, signal} = open(t);
  const cluster = await openCluster({
    environment: {
      CLUSTER_UP: 'echo it rises',
      CLUSTER_DOWN: `echo it falls; touch ${at('down')}`,
      CLUSTER_KUBECONFIG: '/started',
    },
    log,
    signal,
  });
  t.is(cluster.kubeconfig, '/started');
  t.false(existsSync(at('down')));
  await cluster.stop();
  t.true(existsSync(at('down')));
  t.is(readFileSync(log, 'utf8'), 'it rises\nit falls\n');
});

test('one that does not start tells its last words, and what was begun is ended', async t => {
  const {at, log, signal} = open(t);
  const environment = {
    CLUSTER_UP: 'echo no room left; exit 3',
    CLUSTER_DOWN: `touch ${at('down')}`,
    CLUSTER_KUBECONFIG: '/never',
  };
  await t.throwsAsync(openCluster({environment, log, signal}), {
    name: 'ServiceFailed',
    message: /ended with 3.*\nno room left$/s,
  });
  t.true(existsSync(at('down')));
});

test('one that does not stop is a failure that tells its last words', async t => {
  const {log, signal} = open(t);
  const environment = {
    CLUSTER_UP: 'true',
    CLUSTER_DOWN: 'echo it stays; exit 4',
    CLUSTER_KUBECONFIG: '/started',
  };
  const cluster = await openCluster({environment, log, signal});
  const stays = {name: 'ServiceFailed', message: /did not stop .*ended with 4.*\nit stays$/s};
  await t.throwsAsync(cluster.stop(), stays);
  const both = {...environment, CLUSTER_UP: 'exit 3'};
  await t.throwsAsync(openCluster({environment: both, log, signal}), {
    name: 'ServiceFailed',
    message: /did not start .*ended with 3.*did not stop .*ended with 4/s,
  });
});

test('without a cluster and without a way to one there is a sentence that says how', async t => {
  const {log, signal} = open(t);
  await t.throwsAsync(openCluster({environment: {}, log, signal}), {
    message: /KUBECONFIG.*CLUSTER_UP.*CLUSTER=off/,
  });
});

test('why there can be none is said by whoever looked, and a cluster that is named is believed', t => {
  t.is(whyNoCluster({CLUSTER_MISSING: 'not root'}), 'not root');
  t.regex(whyNoCluster({CLUSTER_UP: 'true'}) ?? '', /KUBECONFIG.*CLUSTER_UP.*CLUSTER=off/);
  t.is(whyNoCluster({KUBECONFIG: '/there', CLUSTER_MISSING: 'not root'}), undefined);
  t.is(whyNoCluster({CLUSTER_UP: 'true', CLUSTER_KUBECONFIG: '/started'}), undefined);
});

test('tests that have no cluster count as skipped, and in CI only a person may skip them', async t => {
  t.timeout(5 * 60_000);
  const missing = await runAs({CLUSTER_MISSING: 'only root can start one'});
  t.is(missing.code, 1);
  t.regex(
    missing.output,
    /^skipped {2}(\d+) tests .*: only root can start one\nFAILED .*\n0 passed, 1 failed, \1 skipped\n$/,
  );
  const off = await runAs({CLUSTER: 'off', CLUSTER_MISSING: 'only root can start one'});
  t.is(off.code, 0);
  t.regex(off.output, /^skipped .*: CLUSTER=off\n0 passed, 0 failed, [1-9]\d+ skipped\n$/);
});

test('what goes wrong on a cluster is told before what goes wrong at its end', async t => {
  t.timeout(5 * 60_000);
  const {at} = open(t);
  const {code, output} = await runAs({
    CLUSTER_UP: 'true',
    CLUSTER_DOWN: 'echo it stays; exit 4',
    CLUSTER_KUBECONFIG: at('no kubeconfig'),
  });
  t.is(code, 1);
  t.regex(output, /FAILED .*kubectl.*FAILED .*did not stop .*\n1 passed, 2 failed\n$/s);
});

test('every file has its run: some at once that disturb nobody, then one after the other', t => {
  const [beside = [], alone = [], ...more] = planRuns([]);
  t.deepEqual(more, []);
  t.is(beside[0], '--concurrency=3');
  t.is(alone[0], '--concurrency=1');
  t.deepEqual([...beside.slice(1), ...alone.slice(1)].sort(), clusterFiles().sort());
  t.true(beside.length > 5 && alone.length > 3);
  const [first, last] = [beside[1] ?? '', alone[1] ?? ''];
  t.deepEqual(planRuns([last, first]), [
    ['--concurrency=3', first],
    ['--concurrency=1', last],
  ]);
  t.deepEqual(planRuns([last]), [['--concurrency=1', last]]);
  // By their lines or titles they may be of any kind.
  t.deepEqual(planRuns([`${first}:12`]), [['--concurrency=1', `${first}:12`]]);
  t.is(planRuns(['--match=*zero*']).length, 1);
});

test('told to stop while one starts, everything that its command began ends', async t => {
  const {at, log} = open(t);
  const controller = new AbortController();
  const opening = openCluster({
    environment: {
      CLUSTER_UP: `sh -c 'echo $$ > ${at('pid')}; sleep 300'; true`,
      CLUSTER_KUBECONFIG: '/never',
    },
    log,
    signal: controller.signal,
  });
  const pid = await eventually(() => {
    const found = Number(readFileSync(at('pid'), 'utf8'));
    if (!(found > 0)) {
      throw new Error('it has not begun');
    }
    return found;
  });
  controller.abort();
  await t.throwsAsync(opening, {message: /was stopped/});
  await eventually(() => {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    throw new Error(`${pid} runs still`);
  });
  t.pass();
});

test('tests are counted as they are declared, in loops and of every kind, and none is run', async t => {
  const {at} = open(t);
  const file = at('some.test.ts');
  writeFileSync(
    file,
    `import test from 'ava';
import {isKnative} from '${new URL('../dataplane/plane.ts', import.meta.url).pathname}';
test.before(() => { throw new Error('ran'); });
const macro = test.macro((t, n) => t.is(n, 1));
for (const n of [1, 2, 3]) test(\`number \${n}\`, macro, n);
test.serial('one after the other', () => { throw new Error('ran'); });
test.skip('left out', () => {});
(isKnative ? test : () => {})('on a cluster alone', () => {});
`,
  );
  t.is(await countTests([file]), 6);
});
