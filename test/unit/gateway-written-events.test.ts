/** The two events of a request are written by hand: they are the JSON of objects that have the catalogue's types. */
import test from 'ava';
import fc from 'fast-check';
import {toJson, toKafkaRecord} from '../../events/codec.ts';
import type {KnownEvent} from '../../events/event.ts';
import type {InferenceFinished, InferenceStarted} from '../../events/types.ts';
import {uuidv7} from '../../events/uuid.ts';
import type {Principal} from '../../functions/auth/principal.ts';
import type {Ending, Facts} from '../../functions/gateway/exchange/facts.ts';
import {intentOf, resultOf} from '../../functions/gateway/exchange/written-events.ts';
import type {EndpointEntry, ModelEntry} from '../../functions/registry/catalogue.ts';

const text = fc.oneof(fc.string({maxLength: 30}), fc.string({unit: 'binary', maxLength: 30}));
const id = fc.constantFrom(uuidv7(), uuidv7(), uuidv7());
const instant = fc
  .integer({min: 1_600_000_000_000, max: 1_900_000_000_000})
  .map(ms => new Date(ms));
const count = fc.nat({max: 1_000_000_000});
const unit = fc.constantFrom('usd' as const, 'tokens' as const, 'gpu_ms' as const);

const facts: fc.Arbitrary<Facts> = fc.record({
  request: id,
  principal: fc.record({
    org: id,
    project: id,
    key: id,
    unsettledPolicy: fc.constantFrom('prompt', 'hold', 'waive'),
  }) as unknown as fc.Arbitrary<Principal>,
  model: fc.record({
    name: text,
    id,
    environment: fc.constantFrom('development', 'staging', 'production'),
    priceVersion: fc.integer({min: 1, max: 9_999}),
  }) as unknown as fc.Arbitrary<ModelEntry>,
  endpoint: fc.record({url: text}) as unknown as fc.Arbitrary<EndpointEntry>,
  tries: fc.integer({min: 0, max: 3}),
  operation: fc.constantFrom('chat.completions' as const, 'messages' as const),
  streamed: fc.boolean(),
  startedAt: instant,
  deadline: instant,
  promptBytes: count,
  holds: fc.array(fc.record({budget: id, window: id, lease: id, unit, hold: count}), {
    maxLength: 4,
  }),
  label: fc.option(text, {nil: undefined}),
  traceparent: text,
});
const ending: fc.Arbitrary<Ending> = fc.record({
  outcome: fc.constantFrom('completed' as const, 'client_aborted' as const),
  status: fc.option(fc.integer({min: 200, max: 599}), {nil: undefined}),
  tokens: fc.record({inputTokens: count, cachedInputTokens: count, outputTokens: count}),
  costNanos: fc.maxSafeNat(),
  amounts: fc.array(count, {maxLength: 4}),
  estimated: fc.boolean(),
  finishedAt: instant,
  latencyMs: count,
  timeToFirstTokenMs: fc.option(count, {nil: undefined}),
});

const common = ({request, principal, model, endpoint, ...rest}: Facts) => ({
  request,
  orgid: principal.org,
  project: principal.project,
  key: principal.key,
  model: model.name,
  modelId: model.id,
  environment: model.environment,
  endpoint: endpoint.url,
  operation: rest.operation,
  streamed: rest.streamed,
  priceVersion: model.priceVersion,
  startedAt: rest.startedAt.toISOString(),
  ...(rest.label === undefined ? {} : {label: rest.label}),
});
const envelope = ({request, principal, traceparent}: Facts, suffix: string, time: Date) =>
  ({
    specversion: '1.0',
    id: `${request}/${suffix}`,
    source: '/functions/gateway',
    time: time.toISOString(),
    datacontenttype: 'application/json',
    orgid: principal.org,
    projectid: principal.project,
    partitionkey: principal.org,
    traceparent,
  }) as const;

const started = (of: Facts): KnownEvent<'dev.sluice.inference.started.v1'> => {
  const data: InferenceStarted = {
    ...common(of),
    deadline: of.deadline.toISOString(),
    promptBytes: of.promptBytes,
    unsettledPolicy: of.principal.unsettledPolicy,
    budgets: [...of.holds],
  };
  return {...envelope(of, 'started', of.startedAt), type: 'dev.sluice.inference.started.v1', data};
};
const finished = (of: Facts, end: Ending): KnownEvent<'dev.sluice.inference.finished.v1'> => {
  const data: InferenceFinished = {
    ...common(of),
    finishedAt: end.finishedAt.toISOString(),
    outcome: end.outcome,
    ...(end.status === undefined ? {} : {status: end.status}),
    ...end.tokens,
    costNanos: end.costNanos,
    estimated: end.estimated,
    latencyMs: end.latencyMs,
    ...(of.tries > 1 ? {tries: of.tries} : {}),
    ...(end.timeToFirstTokenMs === undefined ? {} : {timeToFirstTokenMs: end.timeToFirstTokenMs}),
    budgets: of.holds.map((hold, index) => ({...hold, amount: end.amounts[index] ?? 0})),
  };
  return {
    ...envelope(of, 'finished', end.finishedAt),
    type: 'dev.sluice.inference.finished.v1',
    data,
  };
};

test('an intent is the JSON of the event that the catalogue says, whatever is in its texts', t => {
  fc.assert(
    fc.property(facts, of => {
      const event = intentOf(of);
      t.deepEqual(JSON.parse(event.json), JSON.parse(JSON.stringify(started(of))));
      t.deepEqual(toKafkaRecord(event).key, toKafkaRecord(started(of)).key);
      t.is(event.id, started(of).id);
    }),
  );
});

test('so is a result', t => {
  fc.assert(
    fc.property(facts, ending, (of, end) => {
      const event = resultOf(of, end);
      t.deepEqual(JSON.parse(toJson(event)), JSON.parse(JSON.stringify(finished(of, end))));
      t.is(event.source, '/functions/gateway');
      t.is(event.id, finished(of, end).id);
    }),
  );
});

test('a result after another endpoint names that one', t => {
  const [of] = fc.sample(facts, 1) as [Facts];
  const [end] = fc.sample(ending, 1) as [Ending];
  of.endpoint = {url: 'http://a'} as EndpointEntry;
  intentOf(of);
  of.endpoint = {url: 'http://b'} as EndpointEntry;
  t.is(JSON.parse(resultOf(of, end).json).data.endpoint, 'http://b');
});
