import test from 'ava';
import {createRecheck} from '../../functions/gateway/routing/recheck.ts';
import type {EndpointEntry, ModelEntry} from '../../functions/registry/catalogue.ts';

const makeEntry = (healths: Readonly<Record<string, EndpointEntry['health']>>): ModelEntry => ({
  id: 'model',
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
  endpoints: Object.entries(healths).map(([id, health]) => ({
    id,
    url: `http://${id}`,
    upstreamModel: 'llama',
    usage: 'every-chunk',
    tokenize: true,
    health,
  })),
});

const setUp = (gateways = 1, endpointsMax = 1_000) => {
  const clock = {ms: 0};
  const asked: string[] = [];
  const recheck = createRecheck({
    suspect: ({endpoint}) => void asked.push(`${endpoint.id} ${clock.ms / 1_000}`),
    gateways: () => gateways,
    nowMs: () => clock.ms,
    endpointsMax,
  });
  /** The model is used ten times a second, from one second up to another. */
  const use = (model: ModelEntry, fromSeconds: number, toSeconds: number) => {
    for (clock.ms = fromSeconds * 1_000; clock.ms < toSeconds * 1_000; clock.ms += 100) {
      recheck(model);
    }
  };
  return {asked, use};
};

test('an ill endpoint is asked about after 5 s, then less and less often, down to once a minute', t => {
  const {asked, use} = setUp();
  use(makeEntry({a: 'healthy', b: 'unhealthy'}), 0, 260);
  t.deepEqual(asked, ['b 5', 'b 15', 'b 35', 'b 75', 'b 135', 'b 195', 'b 255']);
});

test('a snapshot that says the same changes nothing; one that is well again ends it, and it begins anew', t => {
  const {asked, use} = setUp();
  use(makeEntry({b: 'unhealthy'}), 0, 10);
  use(makeEntry({b: 'unhealthy'}), 10, 20);
  t.deepEqual(asked, ['b 5', 'b 15']);
  use(makeEntry({b: 'healthy'}), 20, 30);
  use(makeEntry({b: 'unhealthy'}), 30, 40);
  t.deepEqual(asked, ['b 5', 'b 15', 'b 35']);
});

test('what is well or sleeps is not asked about', t => {
  const {asked, use} = setUp();
  use(makeEntry({a: 'healthy', b: 'unknown'}), 0, 100);
  t.deepEqual(asked, []);
});

test('several gateways ask as often as one', t => {
  const {asked, use} = setUp(4);
  use(makeEntry({b: 'unhealthy'}), 0, 70);
  t.deepEqual(asked, ['b 20', 'b 60']);
});

test('who comes after a long time asks at once, and once', t => {
  const {asked, use} = setUp();
  const model = makeEntry({b: 'unhealthy'});
  use(model, 0, 1);
  use(model, 900, 901);
  t.deepEqual(asked, ['b 900']);
});

test('of more than may be remembered the oldest begins anew', t => {
  const {asked, use} = setUp(1, 2);
  use(makeEntry({b: 'unhealthy'}), 0, 20);
  use(makeEntry({c: 'unhealthy', d: 'unhealthy'}), 20, 21);
  use(makeEntry({b: 'unhealthy'}), 21, 27);
  t.deepEqual(asked, ['b 5', 'b 15', 'b 26']);
});
