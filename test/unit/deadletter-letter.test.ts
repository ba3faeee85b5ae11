import test from 'ava';
import {toBinary, toStructured} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {letterOf} from '../../functions/deadletter/letter.ts';
import {refusalOf, toRedriven} from '../../functions/deadletter/redrive.ts';

const org = '0192f0c1-7a00-7000-8000-00000000000a';
const event: Event = {
  specversion: '1.0',
  id: '1',
  source: '/s',
  type: 'test.done',
  orgid: org,
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  knativebrokerttl: 254,
  data: {a: 1},
};
const failed = {
  ...event,
  knativeerrordest: 'http://one.sluice.svc.cluster.local/',
  knativeerrorcode: 422,
  knativeerrordata: Buffer.from('the data is bad').toString('base64'),
};
const letter = (posted: Event, query: Record<string, unknown> = {trigger: 'one'}, more = {}) => {
  const {headers, body} = toBinary(posted);
  return letterOf({headers: {...headers, ...more}, body, query});
};

test('a letter has what the multi-tenant broker tells of a failure, and the event without it', t => {
  const found = letter(failed, {trigger: 'one'}, {'kn-namespace': 'sluice'});
  t.like(found, {
    org,
    subscription: 'trigger/sluice/one',
    destination: 'http://one.sluice.svc.cluster.local/',
    origin: 'broker:default',
    proved: false,
    attempts: undefined,
    reason: 'the answer was 422',
    status: 422,
    errorData: 'the data is bad',
    type: 'test.done',
  });
  const {knativebrokerttl: _, ...kept} = event;
  t.deepEqual(JSON.parse(found.event), {...kept, datacontenttype: 'application/json'});
});

test("Kafka's broker may tell no code, and a text where it does", t => {
  const {knativeerrorcode: _, ...without} = failed;
  t.like(letter(without), {status: undefined, reason: 'no answer'});
  t.like(letter({...failed, knativeerrorcode: '503'}), {status: 503});
});

test('error data that was cut in a character, is no base64 or is no text is still a text', t => {
  const data = (knativeerrordata: string) => letter({...failed, knativeerrordata}).errorData;
  t.is(data(Buffer.from('größe').subarray(0, 3).toString('base64')), 'gr');
  t.is(data('dispatch error: dial tcp'), 'dispatch error: dial tcp');
  t.is(data('QUJDRA'), 'ABCD');
  t.is(data('A'.repeat(1_024))?.length, 768);
  t.is(data(Buffer.from([0xff, 0xfe, 0x41, 0x42]).toString('base64')), '//5BQg==');
  t.is(data('a\u{fffd}b'), 'a\u{fffd}b');
});

test('the same letter has one id however it travels, and another for another content, place or redrive', t => {
  const {id} = letter(failed);
  const {headers, body} = toStructured({...failed, datacontenttype: 'application/json'});
  t.is(letterOf({headers, body, query: {trigger: 'one'}}).id, id);
  t.is(
    letter({...failed, traceparent: '00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'}).id,
    id,
  );
  t.is(letter({...failed, knativeerrorcode: 500, knativeerrordata: 'eA=='}).id, id);
  const others = [
    letter({...failed, data: {a: 2}}),
    letter({...failed, id: '2'}),
    letter({...failed, knativeerrordest: 'http://two/'}),
    letter(failed, {trigger: 'two'}),
    letter({...failed, redriven: id}),
  ];
  t.is(new Set([id, ...others.map(other => other.id)]).size, 6);
});

test('what is no event is kept as it came and has nowhere to go back to', t => {
  for (const [headers, body] of [
    [{'ce-id': '1', 'ce-type': 'test.done', 'content-type': 'application/json'}, '{}'],
    [{'content-type': 'application/cloudevents+json'}, '{'],
    [{'content-type': 'application/cloudevents-batch+json'}, '[]'],
    [{}, '\xff'],
  ] as const) {
    const found = letterOf({headers, body: Buffer.from(body, 'latin1'), query: {}});
    t.regex(found.reason, /^no event: /);
    t.is(found.origin, undefined);
    t.is(found.subscription, 'unknown');
    const {body_base64} = JSON.parse(found.event) as {body_base64: string};
    t.is(Buffer.from(body_base64, 'base64').toString('latin1'), body);
  }
});

test('a sink that names no Trigger, or nonsense, still has a letter', t => {
  t.is(letter(failed, {}).subscription, failed.knativeerrordest);
  t.is(letter(failed, {trigger: ['a', 'b']}).subscription, failed.knativeerrordest);
  t.is(letter(failed, {trigger: 'x\ny'}).subscription, failed.knativeerrordest);
  t.is(letter(failed, {trigger: 'one', broker: 'other'}).origin, 'broker:other');
  t.is(letter(failed, {trigger: 'one', broker: 'a b'}).origin, undefined);
});

test('a redriven event is what it was, with its letter and without the marks of its failure', t => {
  const json =
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","knativebrokerttl":3,"knativeerrorcode":500,"knereason":"x","redriven":"before","data":{"n":12345678901234567890,"f":1.0}}';
  t.is(
    toRedriven(json, 'now'),
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","redriven":"now","data":{"n":12345678901234567890,"f":1.0}}',
  );
  t.is(toRedriven('{"no":"event"}', 'now'), undefined);
  t.is(toRedriven('"text"', 'now'), undefined);
});

test('only what its own receiver stored goes back to a log or a stream', t => {
  const waits = {id: '1', event: '{}', redriven_at: null, dropped_at: null};
  for (const origin of ['log:sluice.usage', 'stream:zweistein']) {
    t.is(refusalOf({...waits, origin, proved: true}), undefined);
    t.regex(String(refusalOf({...waits, origin, proved: false})), /came over HTTP/);
  }
  t.is(refusalOf({...waits, origin: 'broker:default', proved: false}), undefined);
  t.regex(String(refusalOf({...waits, origin: null, proved: true})), /not known/);
});
