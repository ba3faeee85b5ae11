import test from 'ava';
import {checkContextLength, draftModel, stillMeant, toAsk} from '../../functions/registry/draft.ts';
import {
  applyFindings,
  contextLengthOf,
  disable,
  enable,
  type Finding,
  healthChanges,
  type Model,
  obstacleOf,
} from '../../functions/registry/model.ts';
import {parseRegistration} from '../../functions/registry/registration.ts';
import {ill, makeBody, makeEndpoint, makeModel, well} from '../helpers/registry.ts';

const later = '2026-11-21T11:00:00.000Z';
const apply = (model: Model, finding: Finding, at = later) =>
  applyFindings(model, new Map(model.endpoints.map(({id}) => [id, finding])), at);

test('a registered model becomes ready when an endpoint is healthy and the context length is known', t => {
  const fresh = makeModel({
    status: 'registered',
    contextLength: null,
    endpoints: [makeEndpoint({health: 'unknown', usage: null, healthAt: null})],
  });
  t.like(apply(fresh, ill), {
    status: 'registered',
    contextLength: null,
    endpoints: [{health: 'unhealthy', healthReason: 'connection refused', healthAt: later}],
  });
  t.like(apply(fresh, {...well, contextLength: null}), {status: 'registered', contextLength: null});
  t.like(apply(fresh, well), {
    status: 'ready',
    contextLength: 8192,
    endpoints: [{health: 'healthy', usage: 'every-chunk', tokenize: true, healthReason: null}],
  });
});

const asleep: Finding = {...ill, health: 'unknown', reason: 'not running: connection refused'};

test('a model that scales to zero is ready by its context length, although nothing runs', t => {
  const fresh = makeModel({
    status: 'registered',
    startSeconds: 60,
    endpoints: [makeEndpoint({health: 'unknown', usage: null, healthAt: null})],
  });
  t.like(apply(fresh, asleep), {
    status: 'ready',
    endpoints: [{health: 'unknown', healthReason: 'not running: connection refused'}],
  });
  t.is(apply({...fresh, contextLength: null}, asleep).status, 'registered');
  t.is(apply({...fresh, startSeconds: null}, asleep).status, 'registered');
  t.is(apply(fresh, ill).status, 'registered');
});

test('that a model goes to sleep is no change that is told; that it wakes or is ill is', t => {
  const awake = makeModel({startSeconds: 60});
  const sleeping = apply(awake, asleep);
  t.is(sleeping.endpoints[0]?.usage, 'last-chunk', 'what was found out stays');
  t.deepEqual(healthChanges(awake, sleeping), []);
  t.is(healthChanges(sleeping, apply(sleeping, well)).length, 1);
  t.is(healthChanges(sleeping, apply(sleeping, ill)).length, 1);
});

test('a registration asks an endpoint that scales to zero until it has answered once, or is ill', t => {
  const [never, once, unwell, sleeping] = [
    makeEndpoint({usage: null, health: 'unknown'}),
    makeEndpoint({usage: 'none'}),
    makeEndpoint({usage: 'none', health: 'unhealthy'}),
    makeEndpoint({health: 'unknown'}),
  ];
  const endpoints = [never, once, unwell, sleeping];
  t.deepEqual(toAsk(makeModel({startSeconds: 60, endpoints})), [never, unwell]);
  t.deepEqual(toAsk(makeModel({endpoints})), endpoints);
});

test('a ready model stays ready in an outage and a disabled one disabled when its endpoints are well', t => {
  t.is(apply(makeModel(), ill).status, 'ready');
  t.is(apply(makeModel({status: 'disabled'}), well).status, 'disabled');
});

test('a probe that found nothing out leaves abilities as they were', t => {
  t.like(apply(makeModel(), ill).endpoints[0], {usage: 'last-chunk', tokenize: false});
});

test('what an older probe found is dropped', t => {
  const model = makeModel();
  t.deepEqual(apply(model, ill, '2026-11-21T09:59:59.999Z'), model);
});

test('a server that takes less than the model promises is not healthy, and the reason says why', t => {
  const [endpoint] = apply(makeModel(), {...well, contextLength: 4096}).endpoints;
  t.like(endpoint, {
    health: 'unhealthy',
    healthReason: 'its server takes 4096 tokens, the model is registered with 8192',
  });
  t.like(apply(makeModel(), {...well, contextLength: 16_384}), {
    contextLength: 8192,
    endpoints: [{health: 'healthy'}],
  });
});

test('a model is enabled only when nothing stands in its way', t => {
  t.like(enable(disable(makeModel())), {model: {status: 'ready'}});
  const down = makeModel({
    endpoints: [makeEndpoint({health: 'unhealthy', healthReason: 'connection refused'})],
  });
  t.deepEqual(enable(down), {
    obstacle: 'no endpoint is healthy (http://a:8000: connection refused)',
  });
  t.regex(obstacleOf(makeModel({contextLength: null})) ?? '', /context length is not known/);
});

test('the context length is the smallest that the servers tell', t => {
  t.is(contextLengthOf([well, {...well, contextLength: 4096}, ill]), 4096);
  t.is(contextLengthOf([ill]), null);
  t.is(checkContextLength(parseRegistration(makeBody({contextLength: 2048})), [well]), 2048);
  t.is(checkContextLength(parseRegistration(makeBody()), [well]), 8192);
  t.is(checkContextLength(parseRegistration(makeBody({contextLength: 99_999})), [ill]), 99_999);
  t.like(
    t.throws(() => checkContextLength(parseRegistration(makeBody({contextLength: 8193})), [well])),
    {code: 'bad_request', parameter: 'contextLength'},
  );
});

test('health changes are those of endpoints that were there before', t => {
  const before = makeModel();
  const after = apply(before, ill);
  t.deepEqual(healthChanges(before, after), after.endpoints);
  t.deepEqual(healthChanges(before, before), []);
  t.deepEqual(
    healthChanges(before, makeModel({endpoints: [makeEndpoint({health: 'unhealthy'})]})),
    [],
  );
});

let ids = 0;
const newId = () => `new ${++ids}`;

test('a registration that repeats another keeps ids, abilities and the version of the price', t => {
  const existing = makeModel();
  t.deepEqual(draftModel(parseRegistration(makeBody()), existing, newId), existing);
});

test('a registration says anew how requests are routed, and what was found of an endpoint stays', t => {
  const existing = makeModel({
    startSeconds: 60,
    fallbacks: ['a'],
    maxOutputTokens: 9,
    endpoints: [makeEndpoint({maxConcurrency: 4})],
  });
  const bounded = parseRegistration(
    makeBody({endpoints: [{url: 'http://a:8000', maxConcurrency: 5}]}),
  );
  t.deepEqual(draftModel(bounded, existing, newId), {
    ...existing,
    startSeconds: null,
    fallbacks: [],
    maxOutputTokens: null,
    endpoints: existing.endpoints.map(endpoint => ({...endpoint, maxConcurrency: 5})),
  });
});

test('a registration with another price, endpoint or upstream name changes just that', t => {
  const existing = makeModel();
  const price = {inputPerMillion: '0.20', outputPerMillion: '0.60', cachedInputPerMillion: '0.05'};
  t.is(draftModel(parseRegistration(makeBody({price})), existing, newId).priceVersion, 2);
  const {endpoints} = draftModel(
    parseRegistration(makeBody({endpoints: ['http://b', 'http://a:8000/v1/']})),
    existing,
    newId,
  );
  t.deepEqual(endpoints[1], existing.endpoints[0]);
  t.like(endpoints[0], {url: 'http://b', health: 'unknown', usage: null, healthAt: null});
  const renamed = draftModel(
    parseRegistration(makeBody({endpoints: [{url: 'http://a:8000', upstreamModel: 'other'}]})),
    existing,
    newId,
  );
  t.like(renamed.endpoints[0], {
    id: existing.endpoints[0]?.id,
    upstreamModel: 'other',
    health: 'unknown',
    usage: null,
  });
  t.is(renamed.status, 'registered');
});

test('replaced, a disabled model stays disabled; a ready one stays ready while an endpoint is left, else must prove itself', t => {
  const other = parseRegistration(makeBody({endpoints: ['http://b']}));
  t.is(draftModel(other, makeModel({status: 'disabled'}), newId).status, 'disabled');
  t.is(draftModel(other, makeModel(), newId).status, 'registered');
  t.is(
    draftModel(
      parseRegistration(makeBody({endpoints: ['http://b', 'http://a:8000']})),
      makeModel(),
      newId,
    ).status,
    'ready',
  );
});

test('what was found of an endpoint that means another model by now is not applied', t => {
  const model = makeModel();
  const findings = new Map(model.endpoints.map(({id}) => [id, ill]));
  t.is(stillMeant(model, model.endpoints, findings).size, 1);
  const renamed = {
    ...model,
    endpoints: model.endpoints.map(endpoint => ({...endpoint, upstreamModel: 'other'})),
  };
  t.is(stillMeant(renamed, model.endpoints, findings).size, 0);
});
