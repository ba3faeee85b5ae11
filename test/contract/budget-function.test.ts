import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {finished, started} from '../helpers/budget.ts';
import {postgresHarness} from '../helpers/budget-store.ts';

const token = 'a-token-for-the-source';

/** The function as Knative runs it: a process of its own, told by its environment. */
const run = async (t: ExecutionContext, environment: Record<string, string>) => {
  const main = fileURLToPath(new URL('../../functions/budget/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main], {
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      SOURCE_TOKEN: token,
      LOG_LEVEL: 'warn',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let complaint = '';
  child.stderr?.on('data', chunk => {
    complaint += chunk;
  });
  // Not at its exit: its last words may come after that.
  const ended = once(child, 'close') as Promise<[number]>;
  t.teardown(async () => {
    child.kill();
    await ended;
  });
  const first = await Promise.race([
    once(child, 'message').then(([message]) => message as {listening: number}),
    ended,
  ]);
  const url = 'listening' in first ? `http://127.0.0.1:${first.listening}` : '';
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents-batch+json',
        authorization: `Bearer ${token}`,
        ...headers,
      },
      body: JSON.stringify(body),
    });
  return {url, post, ended, complaint: () => complaint};
};

test('a batch with the right token is debited and counted, with a wrong one it is not', async t => {
  const harness = await postgresHarness(t);
  const {url, post} = await run(t, {DATABASE_URL: harness.url});
  const request = uuidv7();
  const batch = [started(request, []), finished(request, []), {...started(uuidv7(), []), id: 'x'}];
  t.is((await post('/', batch, {authorization: 'Bearer another'})).status, 401);
  t.is((await post('/reconcile', {}, {authorization: 'Bearer another'})).status, 401);
  t.deepEqual((await harness.contents()).ledger, []);
  const answer = await post('/', batch);
  t.is(answer.status, 204);
  t.is(await answer.text(), '');
  const {ledger, buried} = await harness.contents();
  t.is(ledger.length, 1);
  t.is(buried.length, 1);
  t.deepEqual(await (await post('/reconcile', {})).json(), {fences: 0, settlements: 0});
  const metrics = await (await fetch(`${url}/metrics`)).text();
  t.regex(metrics, /sluice_budget_ledger_entries_total\{entry="result"\} 1/);
  t.regex(metrics, /sluice_budget_dead_letters_total 1/);
  t.is((await fetch(`${url}/healthz`)).status, 200);
});

test('after a batch the markers that are due are sent', async t => {
  const harness = await postgresHarness(t);
  const {post} = await run(t, {DATABASE_URL: harness.url, UNSETTLED_GRACE_MS: '0'});
  const deadline = new Date(Date.now() - 1_000).toISOString();
  t.is((await post('/', [started(uuidv7(), [], {deadline})])).status, 204);
  t.regex((await harness.contents()).sent.join(), /^[0-9a-f-]{36}\/settlement\/\d+$/);
});

test('a start without a token, or as a superuser, ends with what was expected', async t => {
  const harness = await postgresHarness(t);
  const bare = await run(t, {DATABASE_URL: harness.url, SOURCE_TOKEN: ''});
  t.is((await bare.ended)[0], 2);
  t.regex(bare.complaint(), /SOURCE_TOKEN: expected a secret/);
  const root = await run(t, {DATABASE_URL: harness.rootUrl});
  t.is((await root.ended)[0], 1);
  t.regex(root.complaint(), /no row-level policy binds/);
});
