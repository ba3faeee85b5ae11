import test from 'ava';
import {startSimulatedModel} from '../../knative/local/simulated-model/server.ts';
import {startSluice} from '../helpers/sluice.ts';

const ask = async (sluice: {url: string; apiKey: string}, model: string) => {
  const response = await fetch(`${sluice.url}/v1/chat/completions`, {
    method: 'POST',
    headers: {authorization: `Bearer ${sluice.apiKey}`, 'content-type': 'application/json'},
    body: JSON.stringify({model, max_tokens: 8, messages: [{role: 'user', content: 'Hello'}]}),
  });
  return {status: response.status, body: await response.text()};
};

const costOf = async (sluice: {url: string; adminKey: string}): Promise<string | undefined> => {
  const response = await fetch(`${sluice.url}/admin/v1/models`, {
    headers: {authorization: `Bearer ${sluice.adminKey}`},
  });
  return response.text();
};

test('the models of --upstream are served, free unless a price is given, and the price can change', async t => {
  const server = await startSimulatedModel({
    models: [
      {name: 'llama', maxModelLength: 2_048},
      {name: 'some-embedding', maxModelLength: 512},
    ],
  });
  t.teardown(server.close);
  const free = await startSluice(t, {args: ['--upstream', `${server.url}/v1`]});
  t.is(free.model, 'llama');
  const first = await ask(free, 'llama');
  t.is(first.status, 200, first.body);
  t.regex((await costOf(free)) ?? '', /"llama"/);
  t.is((await ask(free, 'simulated-chat')).status, 404);
  t.is(await free.stop(), 0);

  const priced = await startSluice(t, {
    args: ['--upstream', server.url, '--price', '0.25,1.00'],
    dataFolder: free.dataFolder,
  });
  t.is(priced.apiKey, free.apiKey);
  t.regex((await costOf(priced)) ?? '', /"0\.25"/);
  t.is((await ask(priced, 'llama')).status, 200);
});
