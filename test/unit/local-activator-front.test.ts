/**
The gate as clients of the front door meet it: its refusals in HTTP, and the time that an answer may take.
*/
import assert from 'node:assert/strict';
import type {RequestListener} from 'node:http';
import {text} from 'node:stream/consumers';
import test, {type ExecutionContext} from 'ava';
import type {Gate, GateOptions} from '../../knative/local/activator/gate.ts';
import {openIngress} from '../../knative/local/front-door/ingress.ts';
import {eventually} from '../helpers/eventually.ts';
import {gateAt} from '../helpers/gates.ts';
import {createHttpTestServer, nowhere} from '../helpers/http.ts';

const openFront = async (
  t: ExecutionContext,
  handler: RequestListener,
  options: {rules?: Partial<GateOptions['rules']>; timeouts?: GateOptions['timeouts']} = {},
) => {
  const behind = await createHttpTestServer(t, handler);
  const rules = {concurrency: 0, holds: false, mayBeZero: false, ...options.rules};
  const gate = gateAt('demo', behind.url, {...options, rules});
  const ingress = await openIngress({port: 0});
  t.teardown(ingress.close);
  ingress.open({
    routes: [{prefix: '/demo', name: 'demo'}],
    gateOf: () => gate,
    names: ['demo'],
    about: {},
  });
  return {gate, ask: (init?: RequestInit) => fetch(`${ingress.url}/demo`, init)};
};

test('with a full queue the answer is 503 and says so; a client that goes away makes room', async t => {
  const answers: (() => void)[] = [];
  const {gate, ask} = await openFront(
    t,
    (_request, response) => {
      answers.push(() => response.end('answer'));
    },
    {rules: {concurrency: 1}},
  );
  const inside = ask();
  const gone = new AbortController();
  const leaves = ask({signal: gone.signal}).catch((error: Error) => error.name);
  await eventually(() => assert.equal(gate.look().waiting, 1));
  const waits = Array.from({length: 9}, () => ask());
  await eventually(() => assert.equal(gate.look().waiting, 10));
  const full = await ask();
  t.is(full.status, 503);
  t.is(full.headers.get('retry-after'), '1');
  t.like(await full.json(), {
    code: 'unavailable',
    detail: 'the function demo: pending request queue full',
  });
  gone.abort();
  t.is(await leaves, 'AbortError');
  await eventually(() => assert.equal(gate.look().waiting, 9));
  const eleventh = ask();
  for (let answered = 0; answered < 11; answered += 1) {
    const answer = await eventually(() => {
      assert.ok(answers.length > 0);
      return answers.shift();
    });
    t.is(answers.length, 0, 'one at a time');
    answer?.();
  }
  const all = await Promise.all([inside, ...waits, eleventh]);
  t.true(all.every(({status}) => status === 200));
});

test('no byte within the time of a request is a 504, and the place is free again', async t => {
  const {gate, ask} = await openFront(t, () => {}, {timeouts: {totalMs: 100}});
  const answer = await ask();
  t.is(answer.status, 504);
  t.like(await answer.json(), {code: 'upstream_timeout'});
  await eventually(() => assert.equal(gate.look().inside, 0));
});

test('an answer that has begun is cut when the time of a request is over', async t => {
  const {ask} = await openFront(
    t,
    (_request, response) => {
      const timer = setInterval(() => response.write('more '), 10);
      response.on('close', () => clearInterval(timer));
    },
    {timeouts: {totalMs: 4_000}},
  );
  const answer = await ask();
  t.is(answer.status, 200);
  await t.throwsAsync(answer.text());
});

test('the time that a request waited counts', async t => {
  const {ask} = await openFront(t, () => {}, {rules: {concurrency: 1}, timeouts: {totalMs: 200}});
  const answers = await Promise.all([ask(), ask(), ask()]);
  t.deepEqual(
    answers.map(({status}) => status),
    [504, 504, 504],
  );
});

test('an answer that does not begin in its time is a 504; one that began may go on', async t => {
  const {ask} = await openFront(
    t,
    (request, response) => {
      if (request.method === 'POST') {
        response.write('begun ');
        setTimeout(() => response.end('ended'), 2_000);
      }
    },
    {timeouts: {totalMs: 60_000, responseStartMs: 1_500}},
  );
  t.is((await ask()).status, 504);
  t.is(await (await ask({method: 'POST', body: 'x'})).text(), 'begun ended');
});

test('an answer that pauses for too long is cut; one that goes on slowly is not', async t => {
  const {ask} = await openFront(
    t,
    (request, response) => {
      let written = 0;
      const timer = setInterval(() => {
        response.write('x');
        written += 1;
        if (written === 20) {
          clearInterval(timer);
          if (request.method === 'POST') {
            response.end();
          }
        }
      }, 100);
      response.on('close', () => clearInterval(timer));
    },
    {timeouts: {totalMs: 60_000, idleMs: 4_000}},
  );
  t.is(await (await ask({method: 'POST', body: 'x'})).text(), 'x'.repeat(20));
  const paused = await ask();
  await t.throwsAsync(paused.text());
});

test('a process that takes no connection has got nothing: the gate is asked again, and the time goes on', async t => {
  const received: string[] = [];
  const behind = await createHttpTestServer(t, async (request, response) => {
    received.push(await text(request));
    response.end('answer');
  });
  const closed = {url: nowhere};
  const urls = [closed.url, closed.url, behind.url];
  const since: (number | undefined)[] = [];
  const gate: Gate = {
    ...gateAt('demo', undefined),
    enter(options) {
      since.push(options?.sinceMs);
      return gateAt('demo', urls.shift()).enter(options);
    },
  };
  const ingress = await openIngress({port: 0});
  t.teardown(ingress.close);
  ingress.open({
    routes: [{prefix: '/demo', name: 'demo'}],
    gateOf: () => gate,
    names: [],
    about: {},
  });
  const body = 'x'.repeat(200_000);
  const answer = await fetch(`${ingress.url}/demo`, {method: 'POST', body});
  t.is(await answer.text(), 'answer');
  t.deepEqual(received, [body]);
  t.is(since.length, 3);
  t.is(new Set(since).size, 1);
  urls.push(...Array.from({length: 20}, () => closed.url));
  t.is((await fetch(`${ingress.url}/demo`)).status, 503);
});
