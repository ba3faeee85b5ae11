import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, readFile, rm, stat, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {diskProblem, portProblem, StartError} from '../../knative/local/problems.ts';
import {isRunning, markOf} from '../../knative/local/process-mark.ts';
import {openState} from '../../knative/local/state.ts';

const makeFolder = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-state-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  return join(folder, 'data');
};

/** A process that is there until the test ends. */
const startIdle = async (t: ExecutionContext) => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume(); console.log(1)'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
};

test('secrets are made once, differ, and only their owner can read them', async t => {
  const folder = await makeFolder(t);
  const first = await openState({folder});
  await first.release();
  const second = await openState({folder});
  await second.release();
  t.deepEqual(second.secrets, first.secrets);
  t.regex(first.secrets.adminKey, /^sk-admin-.{32}$/);
  const {superuserPassword, sourceToken, rolePasswords} = first.secrets;
  t.is(new Set([superuserPassword, sourceToken, ...Object.values(rolePasswords)]).size, 6);
  t.is((await stat(join(folder, 'secrets.json'))).mode & 0o777, 0o600);
});

test('what is written is read again and only its owner can read it', async t => {
  const folder = await makeFolder(t);
  const state = await openState({folder});
  await state.write('dev.json', {a: 1});
  await state.write('dev.json', {a: 2});
  t.deepEqual(await state.read('dev.json'), {a: 2});
  t.is(await state.read('absent.json'), undefined);
  t.is((await stat(join(folder, 'dev.json'))).mode & 0o777, 0o600);
});

test('a folder that a living process uses is refused, and its name given', async t => {
  const folder = await makeFolder(t);
  const idle = await startIdle(t);
  const state = await openState({folder});
  await state.release();
  await writeFile(join(folder, 'lock'), JSON.stringify(markOf(idle.pid as number)));
  await t.throwsAsync(openState({folder}), {
    instanceOf: StartError,
    message: `data folder in use by process ${idle.pid}`,
  });
});

test('a folder is refused to the process that uses it already', async t => {
  const folder = await makeFolder(t);
  const state = await openState({folder});
  await t.throwsAsync(openState({folder}), {message: /in use by process/});
  await state.release();
  await t.notThrowsAsync(openState({folder}));
});

test('the lock of a process that is gone is taken over', async t => {
  const folder = await makeFolder(t);
  const idle = await startIdle(t);
  const mark = markOf(idle.pid as number);
  idle.kill('SIGKILL');
  await once(idle, 'exit');
  await (await openState({folder})).release();
  await writeFile(join(folder, 'lock'), JSON.stringify(mark));
  const state = await openState({folder});
  t.is(JSON.parse(await readFile(join(folder, 'lock'), 'utf8')).pid, process.pid);
  await state.release();
  await t.throwsAsync(stat(join(folder, 'lock')), {code: 'ENOENT'});
});

test('a later process with the same number is not the one that held the lock', async t => {
  const idle = await startIdle(t);
  const mark = markOf(idle.pid as number);
  t.true(isRunning(mark));
  t.false(isRunning({...mark, born: 'another boot/1'}));
});

test('a lock that is not readable as one is taken over', async t => {
  const folder = await makeFolder(t);
  await (await openState({folder})).release();
  await writeFile(join(folder, 'lock'), '');
  await t.notThrowsAsync(openState({folder}));
});

test('of many starts at once on a dead lock one gets the folder', async t => {
  const folder = await makeFolder(t);
  await (await openState({folder})).release();
  await writeFile(join(folder, 'lock'), JSON.stringify({pid: 2 ** 30}));
  const opened = await Promise.allSettled(Array.from({length: 8}, () => openState({folder})));
  t.is(opened.filter(({status}) => status === 'fulfilled').length, 1);
});

test('a data folder below a file is refused in words', async t => {
  const folder = await makeFolder(t);
  await (await openState({folder})).release();
  await writeFile(join(folder, 'file'), '');
  await t.throwsAsync(openState({folder: join(folder, 'file', 'data')}), {
    instanceOf: StartError,
    message: /cannot keep data in .*: a part of the path is a file/,
  });
  await t.throwsAsync(openState({folder: join(folder, 'file')}), {message: /it is a file/});
});

test('a secrets file that is broken is not replaced in silence', async t => {
  const folder = await makeFolder(t);
  await (await openState({folder})).release();
  await writeFile(join(folder, 'secrets.json'), '{');
  await t.throwsAsync(openState({folder}), {message: /secrets\.json is not JSON/});
  await t.throwsAsync(stat(join(folder, 'lock')), {code: 'ENOENT'});
});

const explains = test.macro({
  exec(t, code: string, expected: RegExp) {
    t.regex(diskProblem('/data', Object.assign(new Error(), {code}))?.message ?? '', expected);
  },
  title: (_, code) => `says what ${code} means for the data folder`,
});
test(explains, 'ENOSPC', /^cannot keep data in \/data: no space is left on its disk/);
test(explains, 'EDQUOT', /quota/);
test(explains, 'EROFS', /read-only/);
test(explains, 'EACCES', /not writable/);

test('what is no fault of the disk stays what it is', t => {
  t.is(diskProblem('/data', new TypeError('a fault of ours')), undefined);
});

test('a port in use is named together with the way out', t => {
  t.is(
    portProblem(8080, '127.0.0.1', {code: 'EADDRINUSE'})?.message,
    'port 8080 is in use: choose another with --port',
  );
});

test('a folder that no file system can make is an error, at once', async t => {
  await t.throwsAsync(openState({folder: '/proc/sluice/data'}), {
    message: /no folder can be made there/,
  });
});
