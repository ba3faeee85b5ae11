import {createServer} from 'node:http';
import {connect} from 'node:net';
import test, {type ExecutionContext} from 'ava';
import {
  type Headers,
  type KafkaRecord,
  readHttp,
  readJson,
  readKafkaRecord,
  readRedisFields,
  toBinary,
  toJson,
  toKafkaRecord,
  toRedisFields,
  toStructured,
} from '../../events/codec.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';

const required = {specversion: '1.0', id: '1', source: '/s', type: 't'} as const;
const json = 'application/cloudevents+json';
const structuredText = JSON.stringify(required);
const binary = {'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't'};
const record = {ce_specversion: '1.0', ce_id: '1', ce_source: '/s', ce_type: 't'};
const fields = Object.entries(record).flat();

const refuses = (t: ExecutionContext, read: () => unknown, code = 'malformed_event') => {
  t.is(t.throws(read, {instanceOf: SluiceError})?.code, code as never);
};
const http = (headers: Headers, body: Buffer | string = '') =>
  readHttp(headers, Buffer.from(body)).events[0] as Event;

for (const [title, attributes, key] of [
  ['its partition key', {orgid: 'o', partitionkey: 'p'}, 'p'],
  ['its organisation where it has no partition key', {orgid: 'o'}, 'o'],
  ['nothing where it has neither', {}, null],
  ['nothing where both are empty', {orgid: '', partitionkey: ''}, null],
] as const) {
  test(`the key of a record is ${title}`, t => {
    t.is(toKafkaRecord({...required, ...attributes} as Event).key, key);
  });
}

test('headers of a record may be bytes, texts, lists of one, or undefined', t => {
  const headers: KafkaRecord['headers'] = {
    ...record,
    ce_id: Buffer.from('ü%20'),
    ce_source: ['/s'],
    ce_type: [Buffer.from('t')],
    ce_subject: undefined,
    other: 'is nothing of the event',
    'Content-Type': 'text/plain',
  };
  t.deepEqual(readKafkaRecord({key: Buffer.from('k'), value: Buffer.from('a'), headers}), {
    ...required,
    id: 'ü%20',
    datacontenttype: 'text/plain',
    data: Buffer.from('a'),
  });
});

test('a record without a value has no data, one with an empty value has data of no bytes', t => {
  const headers = {...record, 'content-type': 'image/png'};
  const event = {...required, datacontenttype: 'image/png'};
  t.deepEqual(readKafkaRecord({value: null, headers}), event);
  t.deepEqual(readKafkaRecord({value: Buffer.alloc(0), headers}), {
    ...event,
    data: Buffer.alloc(0),
  });
  t.deepEqual(readKafkaRecord({value: '', headers: record}), required);
});

for (const [what, bad, code] of [
  ['a header that comes twice', {value: null, headers: {...record, ce_orgid: ['a', 'b']}}],
  ['a header that is not UTF-8', {value: null, headers: {...record, ce_x: Buffer.from([255])}}],
  ['an upper case attribute', {value: null, headers: {...record, ce_ID: '2'}}],
  ['ce_data', {value: null, headers: {...record, ce_data: 'x'}}],
  ['ce___proto__', {value: null, headers: {...record, ce___proto__: 'x'}}],
  ['no headers', {value: structuredText}],
  ['an unknown version', {value: null, headers: {...record, ce_specversion: '1.1'}}],
  ['structured mode without a value', {value: null, headers: {'content-type': json}}],
  [
    'a batch',
    {value: `[${structuredText}]`, headers: {'content-type': 'application/cloudevents-batch+json'}},
    'unsupported_media_type',
  ],
  [
    'another format',
    {value: 'x', headers: {'content-type': 'application/cloudevents+avro'}},
    'unsupported_media_type',
  ],
] as ReadonlyArray<[string, KafkaRecord, string?]>) {
  test(`a record with ${what} is refused`, t => refuses(t, () => readKafkaRecord(bad), code));
}

for (const [what, bad] of [
  ['a name without a value', [...fields, 'ce_x']],
  ['a field that comes twice', [...fields, 'ce_id', '1']],
  ['a name that is not UTF-8', [...fields, Buffer.from([255]), 'x']],
  ['an attribute that is not UTF-8', [...fields, 'ce_x', Buffer.from([255])]],
  ['ce_data', [...fields, 'ce_data', 'x']],
  ['nothing in it', []],
  ['JSON data that is no JSON', [...fields, 'content-type', 'application/json', 'data', '{']],
] as ReadonlyArray<[string, Array<Buffer | string>]>) {
  test(`an entry with ${what} is refused`, t => refuses(t, () => readRedisFields(bad)));
}

test('fields of an entry that are not of the event are left out', t => {
  t.deepEqual(readRedisFields([...fields, 'attempt', '3', 'event', '{}']), required);
});

test('an entry without a field data has no data, one with an empty field has data of no bytes', t => {
  const event = {...required, datacontenttype: 'image/png'};
  t.deepEqual(readRedisFields(toRedisFields(event)), event);
  const empty = {...event, data: Buffer.alloc(0)};
  t.deepEqual(readRedisFields(toRedisFields(empty)), empty);
});

test('an event in an event is never taken for the event', t => {
  const inner = {...required, id: 'inner', orgid: 'of somebody else'};
  const outer: Event = {
    ...required,
    orgid: 'mine',
    datacontenttype: 'Application/CloudEvents+JSON; charset=utf-8',
    data: inner,
  };
  const {headers, body} = toBinary(outer);
  t.deepEqual(readHttp(headers, body), {events: [outer], batch: false});
  t.deepEqual(readKafkaRecord(toKafkaRecord(outer)), outer);
  t.deepEqual(readRedisFields(toRedisFields(outer)), outer);
  const batch = {...outer, datacontenttype: 'application/cloudevents-batch+json', data: [inner]};
  t.deepEqual(http(toBinary(batch).headers, toBinary(batch).body), batch);
});

for (const charset of ['utf-8', 'UTF8', '"utf-8"', 'us-ascii']) {
  test(`${charset} is a charset that is read`, t => {
    t.deepEqual(http({'content-type': `${json} ; Charset=${charset}`}, structuredText), required);
    const contentType = `application/json;a=b; charset=${charset}`;
    t.deepEqual(http({...binary, 'content-type': contentType}, '{"a":1}').data, {a: 1});
  });
}

test('an event in another charset is refused; JSON data in one stays bytes, and goes on as it came', t => {
  const utf16 = Buffer.from('{"a":1}', 'utf16le');
  const contentType = 'application/json; charset=UTF-16LE';
  refuses(
    t,
    () => http({'content-type': `${json}; charset=utf-16le`}, utf16),
    'unsupported_media_type',
  );
  const event = http({...binary, 'content-type': contentType}, utf16);
  t.deepEqual(event.data, utf16);
  const sent = toBinary(readJson(toJson(event)));
  t.deepEqual(sent, {headers: {...binary, 'content-type': contentType}, body: utf16});
});

test('a content type of blanks is refused', t =>
  refuses(t, () => readJson(JSON.stringify({...required, datacontenttype: ' '}))));

test('a plain text with half a character in it is refused, as JSON it is kept', t => {
  const half = {...required, data: 'a\ud800'};
  refuses(t, () => readJson(JSON.stringify({...half, datacontenttype: 'text/plain'})));
  const event = readJson(JSON.stringify(half));
  t.is(http(toBinary(event).headers, toBinary(event).body).data, half.data);
});

test('data that is nested deeper than most parsers can go is refused, in whatever mode', t => {
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  const structured = (depth: number) => `${structuredText.slice(0, -1)},"data":${nested(depth)}}`;
  for (const depth of [201, 100_000]) {
    refuses(t, () => readJson(structured(depth)));
    refuses(t, () => http(binary, nested(depth)));
    refuses(t, () => readRedisFields([...fields, 'data', nested(depth)]));
  }
  t.is(String(toBinary(readJson(structured(200))).body), nested(200));
});

test('base64 of 0.3 is read in binary mode too, also when the bytes are said to be JSON', t => {
  const coded = {'ce-specversion': '0.3', 'ce-datacontentencoding': 'Base64'};
  t.deepEqual(http({...binary, ...coded, 'content-type': 'application/json'}, 'eyJhIjoxfQ=='), {
    ...required,
    datacontenttype: 'application/json',
    data: Buffer.from('{"a":1}'),
  });
  t.deepEqual(http({...binary, ...coded, 'ce-datacontentencoding': '8bit'}, '1').data, 1);
  refuses(t, () => http({...binary, ...coded, 'ce-datacontentencoding': 'gzip'}, 'x'));
});

test('attributes that are no texts are texts where a binding has only texts', t => {
  const event = {...required, attempt: 5, sampled: false} as Event;
  const texts = {...required, attempt: '5', sampled: 'false'} as unknown as Event;
  t.deepEqual(http(toBinary(event).headers), texts);
  t.deepEqual(readRedisFields(toRedisFields(event)), texts);
  t.deepEqual(http(toStructured(event).headers, toStructured(event).body), event);
  t.deepEqual(readKafkaRecord(toKafkaRecord(event)), event);
});

test('UTF-8 that stands in a header as it is, as Knative writes it, is read', async t => {
  const {promise, resolve, reject} = Promise.withResolvers<Event>();
  const server = createServer((request, response) => {
    response.end();
    try {
      resolve(http(request.headers));
    } catch (error) {
      reject(error);
    }
  });
  t.teardown(() => server.close());
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening));
  const {port} = server.address() as {port: number};
  const lines = Object.entries({...binary, 'ce-subject': 'Übung € 😀'}).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  const socket = connect(port, '127.0.0.1');
  t.teardown(() => socket.destroy());
  socket.end(`POST / HTTP/1.1\r\nhost: x\r\n${lines.join('')}content-length: 0\r\n\r\n`);
  t.is((await promise).subject, 'Übung € 😀');
});

const long = '{ "n": 12345678901234567890.10, "b": "\\u00e9", "1": 1.0 }';
const withData = (data: string) => `${structuredText.slice(0, -1)},"data":${data}}`;

test('digits that a double has not are kept when data is only forwarded', t => {
  const event = readJson(withData(long));
  t.is(
    toJson({...event, added: 1} as Event),
    `${structuredText.slice(0, -1)},"added":1,"data":${long}}`,
  );
  t.is(String(toBinary(event).body), long);
  t.deepEqual(readJson(withData(long)), JSON.parse(withData(long)));
});

test('data that was changed since it was read is written as it is now', t => {
  const event = readJson(withData(long)) as Event<{n: number}>;
  (event.data as {n: number}).n = 5;
  t.is(String(toBinary(event).body), '{"1":1,"n":5,"b":"é"}');
  const other = readJson(withData(long)) as Event<object>;
  t.is(String(toBinary({...other, data: {...other.data, n: 6}}).body), '{"1":1,"n":6,"b":"é"}');
  t.is(String(toBinary({...readJson(withData('1.0')), data: 2}).body), '2');
});

test('a number of its own keeps its text until the event is copied, then its value', t => {
  const event = readJson(withData('9007199254740993'));
  t.is(toJson(event), withData('9007199254740993'));
  t.is(toJson({...event}), withData('9007199254740992'));
});

test('of data that comes twice the last is read and forwarded', t => {
  const twice = `{"data":{"a":1.0},${structuredText.slice(1, -1)},"d\\u0061ta":{"a":2.0}}`;
  t.deepEqual(readJson(twice).data, {a: 2});
  t.is(String(toBinary(readJson(twice)).body), '{"a":2.0}');
});

test('the text of an event is not found by a text in it that looks like data', t => {
  const tricky = `{"subject":"\\"data\\":{\\\\","x":"data",${withData('[1.0]').slice(1)}`;
  t.is(String(toBinary(readJson(tricky)).body), '[1.0]');
});
