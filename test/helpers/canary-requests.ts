/**
Canary requests: whatever can become of a request, each with a canary in its prompt.

In: a running Sluice, a canary, the canary model behind it. Out: the organisation that asked. Every way is asserted to have been gone:
served, failed, refused, repeated, left by its client, run into its deadline.
*/
import assert from 'node:assert/strict';
import type {Admin} from './admin.ts';
import {faults} from './canary-model.ts';
import {eventually} from './eventually.ts';
import type {Sluice} from './sluice.ts';

export const modelName = 'canary-model';

type World = Readonly<{canary: string; sluice: Sluice; admin: Admin}>;
type Ask = Readonly<{path?: string; body?: unknown; key: string; headers?: Record<string, string>}>;

export const createClient = (sluice: Sluice) => {
  const answered: {request: string; text: string}[] = [];
  const send = ({path = '/v1/chat/completions', body, key, headers}: Ask, signal?: AbortSignal) =>
    fetch(sluice.url + path, {
      method: 'POST',
      headers: {authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers},
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal ? {signal} : {}),
    });
  return {
    send,
    /** The status; 0 where the connection broke. */
    async ask(ask: Ask): Promise<number> {
      try {
        const response = await send(ask);
        const request = response.headers.get('x-request-id') as string;
        answered.push({request, text: await response.text()});
        return response.status;
      } catch {
        return 0;
      }
    },
    answered,
  };
};

export const prompts = (canary: string) => ({
  model: modelName,
  max_tokens: 50,
  user: canary,
  stop: [canary],
  messages: [
    {role: 'system', content: canary},
    {role: 'user', content: [{type: 'text', text: canary}], name: canary},
  ],
  tools: [{type: 'function', function: {name: canary, description: canary, parameters: {}}}],
});

/** Whatever can become of a request. */
export const askEverything = async ({canary, sluice, admin}: World) => {
  const {apiKey: key, org, budget} = await admin.createTenant('Everything');
  const {ask, send, answered} = createClient(sluice);
  const chat = prompts(canary);
  const message = {
    model: modelName,
    max_tokens: 50,
    system: canary,
    messages: [{role: 'user', content: canary}],
  };
  const response = {model: modelName, instructions: canary, input: canary, max_output_tokens: 50};
  const operations = [
    {body: chat},
    {body: {...chat, stream: true}},
    {path: '/v1/completions', body: {model: modelName, prompt: canary, max_tokens: 50}},
    {path: '/v1/completions', body: {model: modelName, prompt: [canary, canary], stream: true}},
    {path: '/v1/embeddings', body: {model: modelName, input: canary}},
    {path: '/v1/messages', body: message},
    {path: '/v1/messages', body: {...message, stream: true}},
    {path: '/v1/responses', body: response},
    {path: '/v1/responses', body: {...response, stream: true}},
    {body: chat, headers: {'idempotency-key': 'one'}},
    {body: chat, headers: {'idempotency-key': 'one'}},
    {body: {...chat, seed: 2}, headers: {'idempotency-key': 'one'}},
  ];
  // In turn: the second use of an idempotency key is told of the first.
  const statuses: number[] = [];
  for (const operation of operations) {
    statuses.push(await ask({...operation, key}));
  }
  // The second with its key may come so early that it is told the first one's answer.
  const repeated = statuses.splice(10, 1)[0];
  assert.ok(repeated === 409 || answered[10]?.request === answered[9]?.request, `${repeated}`);
  assert.deepEqual(statuses, [...Array<number>(10).fill(200), 422]);
  // Prompt and answer did travel.
  assert.ok(answered.slice(0, 10).every(({text}) => text.split(canary).length > 2));
  const failed = await Promise.all(
    faults
      .filter(fault => fault !== 'hang-mid-stream')
      .flatMap(fault => [
        ask({key, body: {...chat, fault}}),
        ask({key, body: {...chat, fault, stream: true}}),
        ask({key, path: '/v1/messages', body: {...message, fault}}),
        ask({key, path: '/v1/responses', body: {...response, fault, stream: true}}),
      ]),
  );
  assert.ok(failed.includes(400) && failed.includes(502), failed.join());
  const refused = await Promise.all([
    ask({key: 'wrong', body: chat}),
    ask({key, body: {...chat, model: 'nothing'}}),
    ask({key, body: `{"messages": [{"content": "${canary}"`}),
    ask({key, body: `{"messages": ${canary}}`}),
    ask({key, body: {...chat, max_tokens: canary}}),
    ask({key, body: {...chat, messages: canary}}),
    ask({key, body: {...chat, messages: [{role: canary, content: {[canary]: 1}}], n: canary}}),
    ask({key, body: {...chat, stream_options: canary}}),
    ask({key, body: {...chat, max_tokens: 0}}),
    ask({key, path: '/v1/embeddings', body: {model: modelName, input: {text: canary}}}),
    ask({key, path: '/v1/nothing', body: chat}),
  ]);
  assert.ok(
    refused.every(status => status >= 400 && status < 500),
    refused.join(),
  );
  await admin.post(`/budgets/${budget}/top-ups`, {amount: '1'});
  // So many failures keep others away from the model for a second.
  await eventually(async () => assert.equal(await ask({key, body: chat}), 200));
  const poor = await admin.createTenant('Poor', {limit: '0.00000001'});
  assert.equal(await ask({key: poor.apiKey, body: chat}), 402);
  const {request} = answered.at(-1) as {request: string};
  await eventually(async () => {
    const {state, refusal} = await admin.get<{state: string; refusal: {code: string}}>(
      `/requests/${request}`,
    );
    assert.deepEqual([state, refusal.code], ['refused', 'insufficient_quota']);
  });
  // One that its client leaves, and one that runs into its deadline.
  const leaving = new AbortController();
  const hung = {key, body: {...chat, stream: true, fault: 'hang-mid-stream'}};
  const left = await send(hung, leaving.signal);
  leaving.abort();
  const late = await send(hung);
  assert.deepEqual([left.status, late.status], [200, 200]);
  await late.text().catch(() => {});
  return {org};
};
