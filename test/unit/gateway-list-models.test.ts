import test from 'ava';
import type {Principal} from '../../functions/auth/principal.ts';
import {listModels, showModel, stateByHealth} from '../../functions/gateway/front/list-models.ts';
import type {EndpointEntry, ModelEntry} from '../../functions/registry/catalogue.ts';

const endpoint = (health: EndpointEntry['health']): EndpointEntry => ({
  id: health,
  url: `http://${health}`,
  upstreamModel: 'llama',
  usage: 'every-chunk',
  tokenize: true,
  health,
});
const makeEntry = (more: Partial<ModelEntry> = {}): ModelEntry => ({
  id: 'id',
  name: 'llama',
  environment: 'development',
  status: 'ready',
  contextLength: 8_192,
  defaultMaxTokens: 256,
  tokensPerByteMax: 1,
  priceVersion: 1,
  price: {
    free: true,
    inputPerMillion: 0,
    outputPerMillion: 0,
    inputGpuMsPerMillion: 0,
    outputGpuMsPerMillion: 0,
  },
  endpoints: [endpoint('healthy')],
  ...more,
});
const makePrincipal = (more: Partial<Principal> = {}): Principal => ({
  org: 'org',
  project: 'project',
  key: 'key',
  publicId: 'public',
  secretHash: Buffer.alloc(32),
  models: null,
  environments: null,
  expiresAtMs: null,
  revoked: false,
  suspended: false,
  unsettledPolicy: 'prompt',
  budgets: [],
  ...more,
});

test("a model has OpenAI's fields, its context, the most that this key may ask for, and its state", t => {
  const {object, data} = listModels([makeEntry()], makePrincipal());
  t.is(object, 'list');
  t.deepEqual(data, [
    {
      id: 'llama',
      object: 'model',
      created: 0,
      owned_by: 'sluice',
      max_model_len: 8_192,
      max_output_tokens: 8_192,
      state: 'ready',
    },
  ]);
  t.deepEqual(showModel([makeEntry()], makePrincipal(), 'llama'), data[0]);
  t.is(showModel([makeEntry()], makePrincipal(), 'other'), undefined);
});

test('of context, model and key the smallest is the most output', t => {
  const mostOf = (model?: number, key?: number) =>
    listModels(
      [makeEntry(model === undefined ? {} : {maxOutputTokens: model})],
      makePrincipal(key === undefined ? {} : {maxOutputTokens: key}),
    ).data[0]?.max_output_tokens;
  t.is(mostOf(100), 100);
  t.is(mostOf(100, 50), 50);
  t.is(mostOf(100, 200), 100);
  t.is(mostOf(undefined, 50), 50);
  t.is(mostOf(9_000, 9_000), 8_192);
});

test('the state is the one that the router tells, asked of each model that is shown', t => {
  const models = ['a', 'b', 'hidden'].map(name => makeEntry({name}));
  const asked: string[] = [];
  const stateOf = ({name}: ModelEntry) => {
    asked.push(name);
    return name === 'a' ? ('loading' as const) : ('saturated' as const);
  };
  const principal = makePrincipal({models: ['a', 'b']});
  t.deepEqual(
    listModels(models, principal, stateOf).data.map(({id, state}) => [id, state]),
    [
      ['a', 'loading'],
      ['b', 'saturated'],
    ],
  );
  t.is(showModel(models, principal, 'b', stateOf)?.state, 'saturated');
  t.is(showModel(models, principal, 'hidden', stateOf), undefined);
  t.deepEqual(asked, ['a', 'b', 'b']);
});

test('without a router the state is what probes say', t => {
  const of = (...healths: EndpointEntry['health'][]) => ({endpoints: healths.map(endpoint)});
  t.is(stateByHealth(makeEntry(of('healthy', 'unknown'))), 'ready');
  t.is(stateByHealth(makeEntry(of('healthy', 'unhealthy'))), 'degraded');
  t.is(stateByHealth(makeEntry(of('unknown'))), 'ready');
  t.is(stateByHealth(makeEntry({...of('unknown', 'unknown'), startSeconds: 9})), 'cold');
  t.is(stateByHealth(makeEntry({...of('unknown', 'healthy'), startSeconds: 9})), 'ready');
});
