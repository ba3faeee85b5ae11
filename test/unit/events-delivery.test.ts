/** Deliveries of a source: what each answer of the sink does to one event and to a batch. */
import test from 'ava';
import {type Message, messageOf, type Outcome} from '../../events/brokers/broker.ts';
import {toJson} from '../../events/codec.ts';
import {deliverInBatches, splitByBytes} from '../../events/delivery/deliver-batch.ts';
import {deliverOneByOne} from '../../events/delivery/deliver-one.ts';
import {type Answer, type DeliveryPolicy, sourcePolicy} from '../../events/delivery/policy.ts';
import type {Target} from '../../events/delivery/target.ts';
import {createLogger} from '../../events/telemetry.ts';

const logger = createLogger({name: 'test', level: 'silent'});
const event = (id: string) => ({
  specversion: '1.0' as const,
  id,
  source: '/test',
  type: 'test.done',
  data: {n: 1},
});
const message = (id: string, attempt = 1): Message =>
  messageOf({id, subscription: 's', attempt, json: toJson(event(id))});
const answered = (status: number, detail = ''): Answer => ({
  kind: 'answer',
  status,
  body: status < 300 ? 'empty' : 'other',
  detail,
});

type Sent = {headers: Record<string, string>; ids: string[]; body: string};

/** Answers by what is in a batch; notes what was sent. */
const sinkThat = (answer: (ids: string[]) => Answer) => {
  const sent: Sent[] = [];
  const target: Target = {
    name: 'http://sink/',
    address: () => 'http://sink/',
    async send({headers, body}) {
      const text = body.toString();
      const ids = headers['ce-id']
        ? [headers['ce-id']]
        : (JSON.parse(text) as {id: string}[]).map(({id}) => id);
      sent.push({headers, ids, body: text});
      return answer(ids);
    },
  };
  return {target, sent};
};

const delivery = (target: Target, policy: Partial<DeliveryPolicy> = {}) => ({
  name: 's',
  target,
  policy: {...sourcePolicy, ...policy},
  logger,
  onReply: async () => [],
});

const kinds = (outcomes: readonly Outcome[]) => outcomes.map(({kind}) => kind);

test('a batch is sent as the texts that were read, with its token', async t => {
  const {target, sent} = sinkThat(() => answered(204));
  const json =
    '{"specversion":"1.0","id":"a","source":"/s","type":"t","data":12345678901234567890}';
  const onBatch = deliverInBatches({
    ...delivery(target),
    headers: {authorization: 'Bearer secret'},
  });
  const outcomes = await onBatch([
    messageOf({id: 'a', subscription: 's', attempt: 1, json}),
    message('b'),
  ]);
  t.deepEqual(kinds(outcomes), ['done', 'done']);
  t.is(sent[0]?.body, `[${json},${toJson(event('b'))}]`);
  t.like(sent[0]?.headers, {
    'content-type': 'application/cloudevents-batch+json',
    authorization: 'Bearer secret',
  });
});

test('a batch with one bad event is halved down to it, and the others are done', async t => {
  const {target, sent} = sinkThat(ids =>
    ids.includes('bad') ? answered(422, 'no') : answered(204),
  );
  const ids = ['a', 'b', 'c', 'bad', 'd', 'e'];
  const outcomes = await deliverInBatches(delivery(target))(ids.map(id => message(id)));
  t.deepEqual(kinds(outcomes), ['done', 'done', 'done', 'dead', 'done', 'done']);
  t.like(outcomes[3], {status: 422, detail: 'no', destination: 'http://sink/'});
  t.true(sent.length <= 7);
});

test('behind a part that was not taken nothing younger is sent', async t => {
  const {target, sent} = sinkThat(ids =>
    ids.length > 2 ? answered(422) : ids.includes('a') ? answered(503) : answered(204),
  );
  const outcomes = await deliverInBatches(delivery(target))(
    ['a', 'b', 'c', 'd'].map(id => message(id)),
  );
  t.deepEqual(kinds(outcomes), ['retry', 'retry', 'retry', 'retry']);
  t.deepEqual(
    sent.map(({ids}) => ids),
    [
      ['a', 'b', 'c', 'd'],
      ['a', 'b'],
    ],
  );
  t.like(outcomes[2], {counted: false});
});

for (const status of [401, 403, 307, 404, 429, 500, 503]) {
  test(`a batch that is answered ${status} comes again, for ever where nothing bounds its attempts`, async t => {
    const {target} = sinkThat(() => answered(status));
    const outcomes = await deliverInBatches(delivery(target))([message('a', 1_000), message('b')]);
    t.deepEqual(kinds(outcomes), ['retry', 'retry']);
  });
}

test('a batch that is out of attempts is taken apart, so that only the culprit is dead', async t => {
  const {target} = sinkThat(ids => (ids.includes('bad') ? answered(500) : answered(204)));
  const outcomes = await deliverInBatches(delivery(target, {retries: 2}))(
    ['a', 'bad', 'b'].map(id => message(id, 3)),
  );
  t.deepEqual(kinds(outcomes), ['done', 'dead', 'done']);
});

test('a sink that is away costs no attempt', async t => {
  const {target} = sinkThat(() => ({kind: 'away', afterMs: 500}));
  const [outcome] = await deliverInBatches(delivery(target, {retries: 0}))([message('a', 1)]);
  t.deepEqual(outcome, {kind: 'retry', afterMs: 500, counted: false});
});

test('what Knative overrides is set on every event', async t => {
  const {target, sent} = sinkThat(() => answered(204));
  await deliverInBatches({...delivery(target), extensions: {cluster: 'one'}})([message('a')]);
  await deliverOneByOne({...delivery(target), extensions: {cluster: 'two'}})([message('a')]);
  t.is(JSON.parse(sent[0]?.body ?? '')[0].cluster, 'one');
  t.is(sent[1]?.headers['ce-cluster'], 'two');
});

test('batches are cut by their bytes, and an event that is larger goes alone', t => {
  const parts = splitByBytes(
    ['a', 'b', 'c'].map(id => message(id)),
    2 * toJson(event('a')).length + 4,
  );
  t.deepEqual(
    parts.map(part => part.map(({id}) => id)),
    [['a', 'b'], ['c']],
  );
  t.is(splitByBytes([message('a')], 1).length, 1);
});

test('each event alone is done, dead or tried again by its own answer', async t => {
  const {target, sent} = sinkThat(([id]) => answered(Number(id)));
  const ids = ['204', '422', '503', '401'];
  const outcomes = await deliverOneByOne(delivery(target))(ids.map(id => message(id)));
  t.deepEqual(kinds(outcomes), ['done', 'dead', 'retry', 'retry']);
  t.is(sent[0]?.headers.prefer, 'reply');
});

test('an event whose handler kills its process is not sent once more than its attempts', async t => {
  const {target, sent} = sinkThat(() => answered(204));
  const onBatch = deliverOneByOne(delivery(target, {retries: 2}));
  t.deepEqual(kinds(await onBatch([message('a', 3)])), ['done']);
  t.deepEqual(kinds(await onBatch([message('a', 4)])), ['dead']);
  t.is(sent.length, 1);
});

test('a reply is published with the outcome, and one that cannot be kept brings the event again', async t => {
  const reply = event('reply');
  const {target} = sinkThat(() => ({kind: 'answer', status: 200, body: 'event', reply}));
  const publication = {topic: 'replies', json: toJson(reply)};
  const published = await deliverOneByOne({
    ...delivery(target),
    onReply: async () => [publication],
  })([message('a')]);
  t.deepEqual(published, [{kind: 'done', publish: [publication]}]);
  const failed = await deliverOneByOne({
    ...delivery(target),
    onReply: async () => {
      throw new Error('the database is away');
    },
  })([message('a')]);
  t.like(failed[0], {kind: 'retry', counted: false});
});

test('what is no event, or cannot be a header, is dead at once', async t => {
  const {target, sent} = sinkThat(() => answered(204));
  const outcomes = await deliverOneByOne(delivery(target))([
    messageOf({id: 'x', subscription: 's', attempt: 1, json: '{"no": "event"}'}),
    message('a'),
  ]);
  t.deepEqual(kinds(outcomes), ['dead', 'done']);
  t.is(sent.length, 1);
});
