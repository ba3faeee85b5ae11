import test from 'ava';
import {parseRegistration} from '../../functions/registry/registration.ts';
import {makeBody} from '../helpers/registry.ts';

test('a registration gets its defaults, nano-USD and bare URLs', t => {
  t.deepEqual(
    parseRegistration(
      makeBody({
        environment: 'uat',
        endpoints: ['http://a:8000/v1', {url: 'https://b/x/v1/', upstreamModel: 'meta/llama'}],
      }),
    ),
    {
      name: 'llama',
      environment: 'staging',
      endpoints: [
        {url: 'http://a:8000', upstreamModel: 'llama', maxConcurrency: null},
        {url: 'https://b/x', upstreamModel: 'meta/llama', maxConcurrency: null},
      ],
      contextLength: null,
      defaultMaxTokens: 4096,
      price: {
        free: false,
        inputPerMillion: 200_000_000n,
        outputPerMillion: 600_000_000n,
        cachedInputPerMillion: null,
        inputGpuMsPerMillion: 0n,
        outputGpuMsPerMillion: 0n,
      },
      namespace: null,
      metadata: {},
      startSeconds: null,
      fallbacks: [],
      maxOutputTokens: null,
    },
  );
});

test('how requests are routed is taken up to its bounds, and null is as absent', t => {
  const said = {startSeconds: 1_800, fallbacks: ['a', 'b', 'c', 'd', 'e'], maxOutputTokens: 1};
  const endpoints = [{url: 'http://a', maxConcurrency: 100_000}, 'http://b'];
  t.like(parseRegistration(makeBody({...said, endpoints})), {
    ...said,
    endpoints: [{maxConcurrency: 100_000}, {maxConcurrency: null}],
  });
  const nothing = {startSeconds: null, fallbacks: null, maxOutputTokens: null};
  t.deepEqual(parseRegistration(makeBody(nothing)), parseRegistration(makeBody()));
});

test('free is said by the word', t => {
  t.like(parseRegistration(makeBody({price: 'free'})).price, {
    free: true,
    inputPerMillion: 0n,
    outputPerMillion: 0n,
  });
});

const refuses = (parameter: string, more: Record<string, unknown>) =>
  test(`${JSON.stringify(more).slice(0, 90)} is refused with the field ${parameter}`, t => {
    t.like(
      t.throws(() => parseRegistration(makeBody(more))),
      {code: 'bad_request', parameter},
    );
  });

refuses('name', {name: ''});
refuses('name', {name: ' llama'});
refuses('name', {name: 'a\nb'});
refuses('name', {name: 'x'.repeat(201)});
refuses('environment', {environment: undefined});
refuses('environment', {environment: 'moon'});
refuses('environment', {environment: 1});
refuses('endpoints', {endpoints: []});
refuses('endpoints', {endpoints: 'http://a'});
refuses('endpoints', {endpoints: ['http://a', 'http://a/v1']});
refuses('endpoints', {endpoints: Array.from({length: 65}, (_, index) => `http://a${index}`)});
refuses('endpoints[0]', {endpoints: ['ftp://a']});
refuses('endpoints[0]', {endpoints: ['http://user:secret@a']});
refuses('endpoints[0]', {endpoints: ['http://a?x=1']});
refuses('endpoints[0]', {endpoints: [5]});
refuses('endpoints[1].url', {endpoints: ['http://a', {url: 'a'}]});
refuses('endpoints[0].name', {endpoints: [{url: 'http://a', name: 'x'}]});
refuses('contextLength', {contextLength: 0});
refuses('contextLength', {contextLength: '8192'});
refuses('defaultMaxTokens', {defaultMaxTokens: 1.5});
refuses('contextLenght', {contextLenght: 1});
refuses('namespace', {namespace: 'A b'});
refuses('metadata', {metadata: []});
refuses('metadata', {metadata: {x: 'x'.repeat(20_000)}});
refuses('startSeconds', {startSeconds: 0});
refuses('startSeconds', {startSeconds: 1_801});
refuses('startSeconds', {startSeconds: '60'});
refuses('fallbacks', {fallbacks: 'a'});
refuses('fallbacks', {fallbacks: ['llama']});
refuses('fallbacks', {fallbacks: ['a', 'a']});
refuses('fallbacks', {fallbacks: ['a', 'b', 'c', 'd', 'e', 'f']});
refuses('fallbacks[1]', {fallbacks: ['a', ' b']});
refuses('maxOutputTokens', {maxOutputTokens: 0});
refuses('endpoints[0].maxConcurrency', {endpoints: [{url: 'http://a', maxConcurrency: 0}]});
refuses('endpoints[0].maxConcurrency', {endpoints: [{url: 'http://a', maxConcurrency: 100_001}]});
refuses('price', {price: undefined});
refuses('price', {price: 'gratis'});
refuses('price', {price: {inputPerMillion: '0', outputPerMillion: '0.00'}});
refuses('price.inputPerMillion', {price: {inputPerMillion: 0.2, outputPerMillion: '0.60'}});
refuses('price.outputPerMillion', {price: {inputPerMillion: '0.20'}});
refuses('price.inputPerMillion', {price: {inputPerMillion: '1000000.01', outputPerMillion: '0'}});
refuses('price.free', {price: {free: true}});
refuses('price.inputGpuMsPerMillion', {
  price: {inputPerMillion: '1', outputPerMillion: '1', inputGpuMsPerMillion: -1},
});

test('the refusal of a model without a price says what to write', t => {
  t.throws(() => parseRegistration(makeBody({price: undefined})), {
    message: /"free": a model without a price is not registered/,
  });
});
