import test from 'ava';
import {parseChange} from '../../functions/registry/change.ts';
import type {Model} from '../../functions/registry/model.ts';
import {makeEndpoint, makeModel} from '../helpers/registry.ts';

const model = makeModel({
  rates: {requests: 60},
  startSeconds: 30,
  fallbacks: ['small'],
  maxOutputTokens: 100,
  endpoints: [
    makeEndpoint({url: 'http://a', maxConcurrency: 8}),
    makeEndpoint({url: 'http://b', maxConcurrency: 9}),
  ],
});

const changes = (title: string, body: Record<string, unknown>, expected: Partial<Model>) =>
  test(title, t => t.deepEqual(parseChange(body)(model), {...model, ...expected}));

const endpoints = (...bounds: (number | null)[]) =>
  model.endpoints.map((endpoint, index) => ({
    ...endpoint,
    maxConcurrency: bounds[index] as number | null,
  }));

changes(
  'a change changes what it names and leaves the rest',
  {startSeconds: 31},
  {startSeconds: 31},
);
changes('fallbacks are replaced in their order', {fallbacks: ['b', 'a']}, {fallbacks: ['b', 'a']});
changes(
  'null takes away, also fallbacks',
  {startSeconds: null, fallbacks: null, maxOutputTokens: null},
  {startSeconds: null, fallbacks: [], maxOutputTokens: null},
);
changes(
  'a limit of a minute is changed beside others',
  {tokensPerMinute: 5, requestsPerMinute: 7},
  {rates: {requests: 7, tokens: 5}},
);
changes(
  'only the endpoint that is named is bounded anew',
  {endpoints: [{url: 'http://b/v1/', maxConcurrency: null}]},
  {endpoints: endpoints(8, null)},
);
changes(
  'both endpoints are bounded anew',
  {
    endpoints: [
      {url: 'http://b', maxConcurrency: 2},
      {url: 'http://a', maxConcurrency: 1},
    ],
  },
  {endpoints: endpoints(1, 2)},
);

test('the last limit that is taken away leaves none', t => {
  t.false('rates' in parseChange({requestsPerMinute: null})(model));
});

test('a registered model that scales to zero from now on is ready, if it is not ill and its context is known', t => {
  const [endpoint] = model.endpoints;
  const fresh = {...model, status: 'registered' as const, startSeconds: null};
  const asleep = {...fresh, endpoints: [makeEndpoint({...endpoint, health: 'unknown'})]};
  const ill = {...fresh, endpoints: [makeEndpoint({...endpoint, health: 'unhealthy'})]};
  const {status} = parseChange({startSeconds: 60})(asleep);
  t.is(status, 'ready');
  t.is(parseChange({startSeconds: 60})(ill).status, 'registered');
  t.is(parseChange({startSeconds: 60})({...asleep, contextLength: null}).status, 'registered');
  t.is(parseChange({startSeconds: 60})({...asleep, status: 'disabled'}).status, 'disabled');
});

const refuses = (parameter: string, body: Record<string, unknown>) =>
  test(`the change ${JSON.stringify(body)} is refused with the field ${parameter}`, t => {
    t.like(
      t.throws(() => parseChange(body)(model)),
      {code: 'bad_request', parameter},
    );
  });

refuses('the body', {});
refuses('price', {price: 'free'});
refuses('requestsPerMinute', {requestsPerMinute: 0});
refuses('startSeconds', {startSeconds: 1_801});
refuses('fallbacks', {fallbacks: [model.name]});
refuses('maxOutputTokens', {maxOutputTokens: 1.5});
refuses('endpoints', {endpoints: null});
refuses('endpoints', {endpoints: []});
refuses('endpoints[0]', {endpoints: ['http://a']});
refuses('endpoints[0]', {endpoints: [{url: 'http://a'}]});
refuses('endpoints[0].url', {endpoints: [{url: 'http://c', maxConcurrency: 1}]});
refuses('endpoints[0].id', {endpoints: [{url: 'http://a', maxConcurrency: 1, id: 'x'}]});
refuses('endpoints[0].maxConcurrency', {endpoints: [{url: 'http://a', maxConcurrency: 0}]});
refuses('endpoints', {
  endpoints: [
    {url: 'http://a', maxConcurrency: 1},
    {url: 'http://a/', maxConcurrency: 2},
  ],
});
