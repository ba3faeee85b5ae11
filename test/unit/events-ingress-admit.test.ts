import {fileURLToPath} from 'node:url';
import test from 'ava';
import fc from 'fast-check';
import {readHttp, toJson} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {createStamps} from '../../events/org-stamp.ts';
import type {OutboxRow} from '../../events/outbox.ts';
import {type Admission, admit} from '../../functions/events-ingress/admit.ts';
import {faultOfData} from '../../functions/events-ingress/keepable.ts';
import {compileOpenTypes, readOpenTypes} from '../../functions/events-ingress/open-types.ts';
import {cleanSource, stamp} from '../../functions/events-ingress/stamp.ts';
import {readEventSchemas} from '../../schemas/render/event-schemas.ts';

const folder = fileURLToPath(new URL('../../schemas/events', import.meta.url));
const openTypes = readOpenTypes(folder);
const sender = {org: '01890000-0000-7000-8000-000000000001', project: 'p'};
const trace = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const event = (more: Record<string, unknown> = {}): Event => ({
  specversion: '1.0',
  id: '1',
  source: 'shop',
  type: 'com.example.sold',
  ...more,
});
const admitted = (more: Record<string, unknown>, options = {}) =>
  admit(event(more), {...sender, openTypes, ...options});
const refusalOf = (admission: Admission) =>
  'refused' in admission ? [admission.refused.code, admission.refused.path] : admission.row;

test('an event speaks for its sender whatever it says', t => {
  const stamped = stamp(
    event({
      source: '/orgs/other/shop',
      orgid: 'other',
      projectid: 'other',
      partitionkey: 'other',
      knativeerrordest: 'http://x',
      knativebrokerttl: 1,
      kneorigin: 'x',
      sluiceorg: 'other',
      sluicestamp: 'forged',
      colour: 'red',
      data: {orgid: 'data is the sender’s own'},
    }),
    sender,
  );
  const {traceparent, ...rest} = stamped;
  t.regex(traceparent as string, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  t.deepEqual(rest, {
    specversion: '1.0',
    id: '1',
    source: `/orgs/${sender.org}/orgs/other/shop`,
    type: 'com.example.sold',
    orgid: sender.org,
    projectid: 'p',
    partitionkey: `${sender.org}/other`,
    colour: 'red',
    data: {orgid: 'data is the sender’s own'},
  });
});

test('who names no order key is ordered by organisation', t => {
  t.is(stamp(event(), sender).partitionkey, sender.org);
  t.is(stamp(event({partitionkey: ''}), sender).partitionkey, sender.org);
});

test('a trace goes on: that of the event, else that of the request, else a new one', t => {
  const kept = stamp(event({traceparent: trace, tracestate: 'a=1'}), sender);
  t.is(kept.traceparent, trace);
  t.is(kept.tracestate, 'a=1');
  const other = trace.replace('4bf9', '5bf9');
  t.is(stamp(event({traceparent: trace}), {...sender, traceparent: other}).traceparent, trace);
  const continued = stamp(event({tracestate: 'a=1'}), {...sender, traceparent: trace});
  t.is(continued.traceparent?.slice(0, 36), trace.slice(0, 36));
  t.not(continued.traceparent, trace);
  // It belongs to a trace that is not this one.
  t.is(continued.tracestate, undefined);
  t.not(stamp(event({traceparent: 'junk'}), sender).traceparent, 'junk');
});

test('however a source is spelled, it stays below its organisation, also for who resolves it as a URL', t => {
  const under = `/orgs/${sender.org}/`;
  const piece = fc.constantFrom('..', '.', '/', '\\', '%2e', '%2E.', 'a', '?', '#', ';', ' ', ':');
  fc.assert(
    fc.property(fc.array(piece, {minLength: 1}), pieces => {
      const {source} = stamp(event({source: pieces.join('')}), sender);
      return source.startsWith(under) && new URL(source, 'http://h').pathname.startsWith(under);
    }),
    {numRuns: 2_000},
  );
  t.is(cleanSource('//shop/1'), 'shop/1');
  t.is(cleanSource('https://shop.example/a..b/.c'), 'https://shop.example/a..b/.c');
});

test('a type that is nobody’s goes to the tenants’ Broker, one that is open to ours', t => {
  t.like(refusalOf(admitted({type: 'sold'})), {destination: 'broker:tenants'});
  t.like(refusalOf(admitted({type: 'dev.sluicegate.opened.v1'})), {destination: 'broker:tenants'});
  t.like(refusalOf(admitted({type: 'dev.sluice.hello.requested.v1', data: {name: 'Ada'}})), {
    destination: 'broker:default',
  });
});

test('what goes to the tenants’ Broker has the stamp of its organisation, whatever stamp it came with', t => {
  const orgStamp = createStamps('k'.repeat(32))(sender.org);
  const eventOf = (more: Record<string, unknown>, options: object) =>
    (refusalOf(admitted(more, options)) as OutboxRow).event;
  for (const brought of [{}, {sluicestamp: 'forged'}, {sluicestamp: orgStamp}]) {
    t.is(eventOf(brought, {orgStamp}).sluicestamp, orgStamp);
    t.false('sluicestamp' in eventOf(brought, {}));
    const ours = {...brought, type: 'dev.sluice.hello.requested.v1', data: {name: 'Ada'}};
    t.false('sluicestamp' in eventOf(ours, {orgStamp}), 'on our own Broker nothing asks for it');
  }
});

test('of our own types only those that are open are taken, and none of them carries truth', t => {
  const schemas = readEventSchemas(folder);
  t.true(openTypes.has('dev.sluice.hello.requested.v1'));
  for (const schema of schemas) {
    const type = schema['x-type'];
    const admission = admitted({type, data: schema.examples[0]});
    if (openTypes.has(type)) {
      t.true('row' in admission, type);
      t.false(schema['x-carrier'].startsWith('log'), type);
    } else {
      t.deepEqual(refusalOf(admission), ['forbidden', '/type'], type);
    }
  }
  for (const type of ['dev.sluice', 'dev.sluice.', 'dev.sluice.nothing.v1']) {
    t.deepEqual(refusalOf(admitted({type})), ['forbidden', '/type'], type);
  }
});

test('a fault of data is told by its place and not by its value', t => {
  const greet = (data: unknown) => admitted({type: 'dev.sluice.hello.requested.v1', data});
  t.deepEqual(refusalOf(greet({name: 5})), ['unprocessable_event', '/data/name']);
  t.deepEqual(refusalOf(greet({})), ['unprocessable_event', '/data']);
  t.deepEqual(refusalOf(greet(undefined)), ['unprocessable_event', '/data']);
  t.deepEqual(refusalOf(greet(Buffer.from('{"name":"Ada"}'))), ['unprocessable_event', '/data']);
  t.notRegex(JSON.stringify(greet({name: 'canary'.repeat(30)})), /canary/);
  t.notRegex(JSON.stringify(greet({name: 'Ada', canary: 1})), /canary/);
});

test('a type is open only where its schema says so in so many words', t => {
  const schema = (open: unknown) => ({'x-type': 'a', 'x-open': open, type: 'object'});
  t.is(compileOpenTypes([schema(true)]).size, 1);
  t.is(compileOpenTypes([schema('true'), schema(1), schema(undefined)]).size, 0);
});

test('what is too large to be keyed, delivered or kept is refused', t => {
  const long = 'ä'.repeat(600);
  t.deepEqual(refusalOf(admitted({id: long})), ['unprocessable_event', '/id']);
  t.deepEqual(refusalOf(admitted({source: long})), ['unprocessable_event', '/source']);
  const many = Object.fromEntries(Array.from({length: 5}, (_, n) => [`a${n}`, 'x'.repeat(1_000)]));
  t.deepEqual(refusalOf(admitted(many)), ['unprocessable_event', '']);
  const options = {eventBytes: 1_000};
  t.deepEqual(refusalOf(admitted({data: 'x'.repeat(1_000)}, options)), ['payload_too_large', '']);
  t.deepEqual(refusalOf(admitted({data: Buffer.alloc(700)}, options)), ['payload_too_large', '']);
  t.true('row' in admitted({data: 'x'.repeat(250 * 1024)}));
});

test('data that PostgreSQL or a parser gives up on is refused', t => {
  let deep: unknown = 1;
  for (let depth = 0; depth < 100_000; depth += 1) {
    deep = [deep];
  }
  for (const data of [deep, 'a\0', {a: ['\ud800']}, {'\0': 1}, [{'\udc00': 1}]]) {
    t.is(typeof faultOfData(data), 'string');
    t.deepEqual(refusalOf(admitted({data})), ['unprocessable_event', '/data']);
  }
  for (const data of [undefined, null, 0, false, '\u{1f600}', Buffer.from([0]), {a: [{b: ''}]}]) {
    t.is(faultOfData(data), undefined);
  }
});

test('data of somebody else’s type is stored as it was written, data of ours as it was checked', t => {
  const stored = (type: string, data: string) => {
    const body = Buffer.from(
      `{"specversion":"1.0","id":"1","source":"s","type":"${type}","data":${data}}`,
    );
    const [read] = readHttp({'content-type': 'application/cloudevents+json'}, body).events;
    const admission = admit(read as Event, {...sender, openTypes});
    return 'row' in admission ? toJson(admission.row.event) : JSON.stringify(admission.refused);
  };
  t.true(stored('sold', '{"n": 9007199254740993}').includes('{"n": 9007199254740993}'));
  t.true(stored('sold', '{"n":"\\ud83d\\ude00"}').includes('{"n":"\u{1f600}"}'));
  // The first of two members of one name is what nobody has checked.
  t.true(stored('sold', '{"n":"\\u0000","n":1}').includes('"data":{"n":1}'));
  const ours = stored('dev.sluice.hello.requested.v1', '{"name":{"a":1},"name":"Ada"}');
  t.true(ours.includes('"data":{"name":"Ada"}'), ours);
});
