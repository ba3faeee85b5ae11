/** The runner's part of the cluster: where one comes from and how it ends, and how tests are counted that do not run. */
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {eventually} from '../helpers/eventually.ts';
import {openCluster} from '../runner/cluster.ts';
import {countTests} from '../runner/counting.ts';

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
