/**
Scale to zero with real processes: a tiny program behind a gate and the front door, so short-lived that it goes up and down
all the time.
*/
import assert from 'node:assert/strict';
import {mkdtemp, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import test, {type ExecutionContext} from 'ava';
import {createGate} from '../../knative/local/activator/gate.ts';
import {openIngress} from '../../knative/local/front-door/ingress.ts';
import {startChild} from '../../knative/local/processes.ts';
import {eventually} from '../helpers/eventually.ts';
import {isAlive} from '../helpers/sluice.ts';

/** Answers with its process id; ends on SIGTERM when its answers are out, and no sooner than `DRAIN_MS`. */
const source = `
  import {createServer} from 'node:http';
  const server = createServer(async (request, response) => {
    let bytes = 0;
    for await (const chunk of request) bytes += chunk.length;
    if (request.url === '/demo/crash') process.exit(9);
    setTimeout(() => response.end(process.pid + ' ' + bytes), request.url === '/demo/slow' ? 60 : 2);
  });
  server.listen(0, '127.0.0.1', () => process.send({listening: server.address().port}));
  process.channel.unref();
  process.once('SIGTERM', () => {
    const drained = new Promise(resolve => setTimeout(resolve, Number(process.env.DRAIN_MS ?? 0)));
    server.close(() => drained.then(() => process.exit(0)));
    setInterval(() => server.closeIdleConnections(), 10);
  });
`;

const openFront = async (
  t: ExecutionContext,
  {
    idleMs,
    env = {},
    restartMinMs = 20,
  }: {idleMs: number; env?: Record<string, string>; restartMinMs?: number},
) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-gate-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  const program = join(folder, 'main.mjs');
  await writeFile(program, source);
  const notes: string[] = [];
  let mostProcesses = 0;
  const gate = createGate({
    name: 'demo',
    rules: {concurrency: 0, holds: true, mayBeZero: true},
    timeouts: {totalMs: 60_000},
    idleMs,
    restMs: 10_000,
    startChild: hooks =>
      startChild({
        name: 'demo',
        program,
        env,
        onLine: (_name, line) => notes.push(line),
        onNote: note => notes.push(note),
        restartMinMs,
        ...hooks,
      }),
  });
  t.teardown(gate.kill);
  const ingress = await openIngress({port: 0});
  t.teardown(ingress.close);
  const ask = async (path = '/demo', body?: string) => {
    const init = body === undefined ? {} : {method: 'POST', body};
    const answer = await fetch(`${ingress.url}${path}`, init);
    mostProcesses = Math.max(mostProcesses, gate.look().processes);
    const [pid, bytes] = (await answer.text()).split(' ');
    return {status: answer.status, pid: Number(pid), bytes: Number(bytes)};
  };
  ingress.open({
    routes: [{prefix: '/demo', name: 'demo'}],
    gateOf: () => gate,
    names: ['demo'],
    about: {},
  });
  await gate.ready;
  const health = async () => {
    const answer = await fetch(`${ingress.url}/healthz`);
    const {functions} = (await answer.json()) as {functions: {demo: {processes: number}}};
    return {code: answer.status, ...functions.demo};
  };
  const atZero = () =>
    eventually(() => assert.equal(gate.look().processes, 0), {timeoutMs: 60_000});
  return {gate, ask, health, atZero, notes, mostProcesses: () => mostProcesses};
};

test('begins with one, goes to zero without requests, and the next request is held until it is back', async t => {
  const {ask, health, atZero} = await openFront(t, {idleMs: 200});
  const first = await ask();
  t.is(first.status, 200);
  await atZero();
  t.deepEqual(await health(), {code: 200, status: 'ok', processes: 0}, 'to ask wakes nobody');
  const answers = await Promise.all(
    Array.from({length: 20}, () => ask('/demo', 'x'.repeat(1_000))),
  );
  t.true(answers.every(({status, bytes}) => status === 200 && bytes === 1_000));
  const pids = new Set(answers.map(({pid}) => pid));
  t.is(pids.size, 1, 'one start for all who wait');
  t.false(pids.has(first.pid));
});

test('under a trickle that lets it fall asleep between any two requests, none is lost', async t => {
  const {ask, notes, mostProcesses} = await openFront(t, {idleMs: 5, env: {DRAIN_MS: '30'}});
  const pids = new Set<number>();
  const client = async (number: number) => {
    // On a slow machine it takes more of them until it has gone to zero often.
    for (let turn = 0; turn < 30 || (pids.size < 5 && turn < 1_000); turn += 1) {
      const size = (turn * 7919) % 50_000;
      const path = (turn + number) % 3 === 0 ? '/demo/slow' : '/demo';
      const {status, pid, bytes} = await ask(path, 'x'.repeat(size));
      assert.deepEqual({status, bytes}, {status: 200, bytes: size});
      pids.add(pid);
      // The load itself: pauses around the idle limit, so that requests come at every moment of an end.
      await pause((turn * number * 13) % 40);
    }
  };
  await Promise.all([1, 2].map(client));
  t.true(pids.size >= 5, `only ${pids.size} processes: it hardly ever went to zero`);
  t.true(mostProcesses() <= 2);
  t.deepEqual(notes, [], 'every process ended by itself with status 0');
});

test('a request that comes during the drain has a new process at once, exactly one', async t => {
  const {gate, ask, health, atZero} = await openFront(t, {idleMs: 20, env: {DRAIN_MS: '15000'}});
  const first = await ask();
  await eventually(() => assert.equal(gate.look().state, 'resting'));
  t.is((await health()).processes, 1, 'it is still draining');
  const others = await Promise.all([ask(), ask(), ask('/demo/slow')]);
  t.deepEqual(new Set(others.map(({status}) => status)), new Set([200]));
  t.is(new Set(others.map(({pid}) => pid)).size, 1);
  t.not(others[0]?.pid, first.pid);
  t.is((await health()).processes, 2);
  // The second has been idle for longer than its limit when the first is gone, and goes only then.
  const states = new Set<string>();
  await eventually(
    () => {
      const {state} = gate.look();
      if (isAlive(first.pid)) {
        states.add(state);
        throw new Error('the first is still there');
      }
    },
    {timeoutMs: 60_000},
  );
  t.deepEqual([...states], ['listening']);
  await atZero();
});

test('kill -9 while nobody is inside: the next request starts it, at once', async t => {
  const {gate, ask, health, notes} = await openFront(t, {idleMs: 60_000});
  for (let turn = 1; turn <= 4; turn += 1) {
    const {pid} = await ask();
    await eventually(() => assert.equal(gate.look().inside, 0));
    process.kill(pid, 'SIGKILL');
    await eventually(() => assert.equal(gate.look().processes, 0));
    t.like(await health(), {code: 200, status: 'ok', processes: 0});
    t.like(gate.look(), {state: 'resting', crashes: 0});
  }
  t.is((await ask()).status, 200);
  t.deepEqual(
    notes,
    Array.from({length: 4}, () => 'demo was ended by SIGKILL; the next request starts it'),
  );
});

test('a crash is its request alone: the others that come are held', async t => {
  const {ask, gate} = await openFront(t, {idleMs: 60_000});
  const crash = await ask('/demo/crash');
  t.is(crash.status, 503);
  // A connection breaks before its process is known to be gone.
  await eventually(() => assert.equal(gate.look().crashes, 1));
  t.is((await ask()).status, 200);
});

test('a function that crashes again and again answers 503 while it is away, and is started all the same', async t => {
  const {ask, gate, health} = await openFront(t, {idleMs: 60_000, restartMinMs: 1_500});
  for (let turn = 1; turn <= 3; turn += 1) {
    t.is((await ask('/demo/crash')).status, 503);
    await eventually(() => assert.equal(gate.look().crashes, turn));
  }
  t.is((await ask()).status, 503);
  t.deepEqual(await health(), {
    code: 503,
    status: 'unavailable',
    reason: 'the function is away',
    processes: 0,
  });
  await eventually(async () => assert.equal((await ask()).status, 200));
  t.pass();
});
