import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type ChildOptions, startChild} from '../../knative/local/processes.ts';
import {eventually} from '../helpers/eventually.ts';

const processes = new URL('../../knative/local/processes.ts', import.meta.url).href;

const makeProgram = async (t: ExecutionContext, source: string) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-child-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  const program = join(folder, 'main.mjs');
  await writeFile(program, source);
  return program;
};

const listens = `
  import {createServer} from 'node:http';
  const server = createServer((request, response) => response.end(String(process.pid)));
  server.listen(0, '127.0.0.1', () => process.send({listening: server.address().port}));
`;

const run = async (t: ExecutionContext, source: string, options: Partial<ChildOptions> = {}) => {
  const lines: string[] = [];
  const notes: string[] = [];
  const child = startChild({
    name: 'demo',
    program: await makeProgram(t, source),
    env: {},
    onLine: (_name, line) => lines.push(line),
    onNote: note => notes.push(note),
    restartMinMs: 10,
    ...options,
  });
  t.teardown(child.kill);
  return {child, lines, notes};
};

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const ask = async (url: string | undefined) => Number(await (await fetch(String(url))).text());

test('a child is ready when it tells where it listens, and sees only the environment it was given', async t => {
  const source = `${listens} console.error(JSON.stringify(Object.keys(process.env)));`;
  const {child, lines} = await run(t, source, {env: {PORT: '0', K_SERVICE: 'demo'}});
  await child.ready;
  t.is(await ask(child.url()), child.pid() as number);
  t.deepEqual(JSON.parse(lines[0] as string).sort(), ['K_SERVICE', 'PORT']);
});

test('a child that crashes is started again, and found where it listens then', async t => {
  const {child, notes} = await run(t, listens);
  await child.ready;
  const first = child.pid() as number;
  process.kill(first, 'SIGKILL');
  await eventually(async () => {
    if ((await ask(child.url())) === first) {
      throw new Error('still the first');
    }
  });
  t.deepEqual(notes, ['demo was ended by SIGKILL; starting it again in 0.01 s', 'demo is back']);
});

test('each crash in a row waits longer before the next start', async t => {
  const crashes = `${listens} setTimeout(() => process.exit(3), 50);`;
  const {notes} = await run(t, crashes, {restartMinMs: 10, restartMaxMs: 40});
  await eventually(() => {
    if (notes.filter(note => note.includes('status 3')).length < 4) {
      throw new Error('too few crashes');
    }
  });
  const waits = notes.flatMap(note => /again in (\S+) s/.exec(note)?.[1] ?? []).slice(0, 4);
  t.deepEqual(waits, ['0.01', '0.02', '0.04', '0.04']);
});

test('a child that ends before it listens is an error with its last words, and is not started again', async t => {
  const {child} = await run(t, `console.error('the configuration has 1 fault'); process.exit(2);`);
  await t.throwsAsync(child.ready, {
    message: 'demo ended with status 2 before it listened\n  the configuration has 1 fault',
  });
  t.is(child.pid(), undefined);
});

test('a child that never listens is given up', async t => {
  const {child} = await run(t, 'setInterval(() => {}, 1000);', {startTimeoutMs: 200});
  await t.throwsAsync(child.ready, {message: 'demo did not listen within 0.2 s'});
});

test('stop asks first and lets the child end by itself', async t => {
  const source = `${listens} process.on('SIGTERM', () => { console.error('bye'); process.exit(0); });`;
  const {child, lines, notes} = await run(t, source);
  await child.ready;
  await child.stop(10_000);
  t.deepEqual(lines, ['bye']);
  t.deepEqual(notes, []);
  t.is(child.url(), undefined);
});

test('a child that does not listen to SIGTERM is killed when its time is up', async t => {
  const {child} = await run(t, `${listens} process.on('SIGTERM', () => {});`);
  await child.ready;
  const pid = child.pid() as number;
  await child.stop(100);
  t.false(isAlive(pid));
});

test('a child that is waiting for its next start is not started after stop', async t => {
  const {child, notes} = await run(t, listens, {restartMinMs: 200});
  await child.ready;
  process.kill(child.pid() as number, 'SIGKILL');
  await eventually(() => {
    if (notes.length === 0) {
      throw new Error('no crash yet');
    }
  });
  await child.stop(1_000);
  t.is(child.pid(), undefined);
});

test('when the runner is killed its children end, also one that is still starting', async t => {
  const program = await makeProgram(t, 'setInterval(() => {}, 1000);');
  const runner = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import {startChild} from ${JSON.stringify(processes)};
       const child = startChild({name: 'demo', program: ${JSON.stringify(program)},
         env: {SLUICE_LEASH_MS: '100'}, onLine() {}, onNote() {}});
       console.log(child.pid());`,
    ],
    {stdio: ['ignore', 'pipe', 'inherit']},
  );
  t.teardown(() => runner.kill('SIGKILL'));
  const pid = Number(String((await once(runner.stdout, 'data'))[0]));
  t.true(isAlive(pid));
  runner.kill('SIGKILL');
  await eventually(() => {
    if (isAlive(pid)) {
      throw new Error('still there');
    }
  });
  t.pass();
});
