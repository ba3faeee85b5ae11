import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {createSeal} from '../../functions/gateway/idempotency/seal.ts';
import {startGateway} from '../helpers/gateway.ts';
import {chat, startModel} from '../helpers/simulated-model.ts';

const ids = ({headers}: Response) => [headers.get('request-id'), headers.get('x-request-id')];
const ask = (more: object = {}) => ({...chat(), max_tokens: 5, ...more});

test('every answer to a client of Anthropic’s API names its request as that client reads it', async t => {
  const gateway = await startGateway(t);
  const tell = async (path: string, body: unknown, init: RequestInit = {}) => {
    const response = await gateway.post(path, body, init);
    await response.text();
    const [theirs, ours] = ids(response);
    t.is(ours?.length, 36);
    t.is(theirs, ours, path);
    return response.status;
  };
  t.is(await tell('/v1/messages', ask()), 200);
  t.is(await tell('/v1/messages?beta=true', ask({stream: true})), 200);
  t.is(await tell('/v1/messages', '{'), 400);
  t.is(await tell('/v1/messages', ask(), {headers: {authorization: 'Bearer none'}}), 401);
  t.is(await tell('/v1/messages', ask({model: 'none'})), 404);
  t.is(await tell('/v1/messages/count_tokens', ask()), 404);
  const other = await gateway.post('/v1/chat/completions', chat({max_tokens: 5}));
  t.is(other.headers.get('request-id'), null);
});

test('a fallback’s answer names the request that it has in the ledger', async t => {
  const {url} = await startModel(t);
  const gateway = await startGateway(t, {
    endpoint: 'http://127.0.0.1:9',
    entry: {fallbacks: ['spare']},
    others: entry => [
      {
        ...entry,
        id: uuidv7(),
        name: 'spare',
        endpoints: entry.endpoints.map(endpoint => ({...endpoint, id: uuidv7(), url})),
      },
    ],
  });
  const response = await gateway.post('/v1/messages', ask());
  t.is(response.status, 200);
  const results = await gateway.settled(2);
  const answered = results.find(({outcome}) => outcome === 'completed')?.request ?? '';
  t.deepEqual(ids(response), [answered, answered]);
});

test('whose answer is another request’s is told that one', async t => {
  const gateway = await startGateway(t, {
    // Long enough for the second to come while the first runs, on a busy machine too.
    model: {tokenDelayMs: 400},
    principal: {keepResults: true},
    parts: {seal: createSeal(Buffer.alloc(32, 1))},
  });
  const keyed = () =>
    gateway.post('/v1/messages', ask(), {headers: {'idempotency-key': 'the-same'}});
  const answers = await Promise.all([keyed(), keyed()]);
  const [{request = ''} = {}] = await gateway.settled();
  answers.push(await keyed());
  t.deepEqual(
    answers.map(({headers}) => headers.get('x-sluice-idempotency')).sort(),
    ['attached', 'replayed', null].sort(),
  );
  for (const answer of answers) {
    t.is(answer.status, 200);
    t.deepEqual(ids(answer), [request, request]);
  }
});
