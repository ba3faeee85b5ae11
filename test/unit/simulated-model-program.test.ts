import {fork} from 'node:child_process';
import {once} from 'node:events';
import test from 'ava';

const mainPath = 'knative/local/simulated-model/main.ts';

test('the program runs alone and ends with its parent’s channel', async t => {
  const env = {...process.env, PORT: '0', MODELS: 'demo:100,llama3:8b:200', DEFAULT_TOKENS: '3'};
  const child = fork(mainPath, {env, stdio: ['ignore', 'pipe', 'inherit', 'ipc']});
  t.teardown(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout ?? child, 'data');
  const url = String(line).trim().split(' ').at(-1);
  const models = JSON.parse(await (await fetch(`${url}/v1/models`)).text());
  t.deepEqual(
    models.data.map((model: {id: string; max_model_len: number}) => [
      model.id,
      model.max_model_len,
    ]),
    [
      ['demo', 100],
      ['llama3:8b', 200],
    ],
  );
  child.kill('SIGINT');
  t.is((await fetch(`${url}/health`)).status, 200);
  child.disconnect();
  t.deepEqual(await once(child, 'exit'), [0, null]);
});

test('the program has the faults of its environment, and answers /health with them', async t => {
  const env = {...process.env, PORT: '0', FAULTS: 'error-500, no-usage'};
  const child = fork(mainPath, {env, stdio: ['ignore', 'pipe', 'inherit', 'ipc']});
  t.teardown(() => child.kill('SIGKILL'));
  const [line] = await once(child.stdout ?? child, 'data');
  const url = String(line).trim().split(' ').at(-1);
  t.is((await fetch(`${url}/health`)).status, 200);
  const {status} = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: {'content-type': 'application/json'},
    body: JSON.stringify({model: 'simulated-chat', prompt: 'Hi'}),
  });
  t.is(status, 500);
});

test('the program says what is wrong with its environment', async t => {
  const env = {...process.env, MODELS: 'demo'};
  const child = fork(mainPath, {env, stdio: ['ignore', 'ignore', 'pipe', 'ipc']});
  t.teardown(() => child.kill('SIGKILL'));
  const [message] = await once(child.stderr ?? child, 'data');
  t.regex(String(message), /MODELS must read name:length/);
  t.deepEqual(await once(child, 'exit'), [1, null]);
});
