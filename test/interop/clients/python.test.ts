import assert from 'node:assert/strict';
import test from 'ava';
import {eventually} from '../../helpers/eventually.ts';
import {type Python, startPython} from './python.ts';
import {type Tenant, useSluice} from './world.ts';

const world = useSluice(test);
let python: Python;

test.before(async t => {
  // The first time its packages are fetched.
  t.timeout(15 * 60_000);
  python = await startPython();
});
test.after.always(() => python?.end());

const told = async (scenario: string, tenant: Tenant) => {
  for (const [prompt_tokens, completion_tokens] of await python.run(scenario, tenant)) {
    tenant.saw({prompt_tokens, completion_tokens});
  }
  return tenant;
};

const runs = test.macro(async (t, scenario: string) => {
  // They wait for each other.
  t.timeout(180_000);
  const tenant = await told(scenario, await world.tenant());
  await t.notThrowsAsync(tenant.charged());
});

test('Python, openai: chats, whole, streamed, and their headers', runs, 'chat');
test('Python, openai: a tool is called, whole and by a stream, and answered', runs, 'tool');
test('Python, openai: an answer keeps to a model of pydantic', runs, 'schema');
test('Python, openai: completions and embeddings', runs, 'older');
test('Python, openai: responses, whole, streamed and with a tool', runs, 'responses');
test('Python, openai: the asynchronous client, eight at once and a stream', runs, 'asynchronous');
test('Python, openai: models are listed and shown', runs, 'models');
test('Python, LangChain: chats, tools and structured output', runs, 'langchain_chat');
test('Python, LangChain: the same by responses', runs, 'langchain_responses');
test('Python, LangChain: asynchronous, and in a chain', runs, 'langchain_asynchronous');
test('Python, LangChain: embeddings', runs, 'langchain_embeddings');

for (const scenario of ['refused', 'langchain_refused']) {
  test(`Python: refusals are of the client's classes, and cost nothing: ${scenario}`, async t => {
    t.timeout(180_000);
    const tenant = await told(scenario, await world.tenant({limit: '0.000001'}));
    await t.notThrowsAsync(tenant.charged());
  });
}

test('Python, openai: a key over its limit is told when to come again, and the client does by itself', async t => {
  t.timeout(180_000);
  const tenant = await world.tenant();
  await told('limited', {...tenant, apiKey: await tenant.key({requestsPerMinute: 30})});
  await t.notThrowsAsync(tenant.charged());
});

test('Python, openai: a stream that is closed is charged what was sent', async t => {
  t.timeout(180_000);
  const tenant = await world.tenant();
  const slow = await world.model(t, 'slow-python', {tokenDelayMs: 20, defaultTokens: 1_000});
  const before = slow.counters();
  await told('left', {...tenant, model: 'slow-python'});
  const after = await eventually(() => {
    const counters = slow.counters();
    assert.equal(counters.aborted, 1);
    return counters;
  });
  tenant.saw({
    input_tokens: after.promptTokens - before.promptTokens,
    output_tokens: after.tokensSent - before.tokensSent,
  });
  await t.notThrowsAsync(tenant.charged());
});

test('Python, openai: a client that waits no longer ends the call at the model', async t => {
  t.timeout(180_000);
  const tenant = await world.tenant();
  const slow = await world.model(t, 'slow-answer', {tokenDelayMs: 20, defaultTokens: 1_000});
  await told('impatient', {...tenant, model: 'slow-answer'});
  await t.notThrowsAsync(eventually(() => assert.equal(slow.counters().aborted, 1)));
});
