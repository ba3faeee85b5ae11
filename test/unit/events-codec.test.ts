import test, {type ExecutionContext} from 'ava';
import {type Headers, readHttp, toBinary, toJson, toStructured} from '../../events/codec.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';

const required = {specversion: '1.0', id: '1', source: '/s', type: 't'} as const;
const json = 'application/cloudevents+json';
const binary = {'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't'};

const read = (headers: Headers, body: Buffer | string = '') =>
  readHttp(headers, Buffer.from(body)).events[0] as Event;
const readStructured = (event: object) => read({'content-type': json}, JSON.stringify(event));

const keepsData = (t: ExecutionContext, data: unknown) => {
  const event = {...required, datacontenttype: 'application/json', data} as Event;
  for (const message of [toBinary(event), toStructured(event)]) {
    t.deepEqual(readHttp(message.headers, message.body).events, [event]);
  }
};

for (const data of [0, false, null, '', 'text', '"quoted"', 1.5, [], {}, {a: [null]}]) {
  test(`the JSON data ${JSON.stringify(data)} is neither lost nor changed`, keepsData, data);
}

test('times keep their nanoseconds', t => {
  const time = '2026-11-21T10:00:00.123456789+05:30';
  for (const message of [toBinary({...required, time}), toStructured({...required, time})]) {
    t.is(readHttp(message.headers, message.body).events[0]?.time, time);
  }
});

test('a header is percent-coded as the binding says', t => {
  const {headers} = toBinary({...required, subject: 'Euro € 😀 "100%" ~'});
  t.is(headers['ce-subject'], 'Euro%20%E2%82%AC%20%F0%9F%98%80%20%22100%25%22%20~');
});

const decodes = (t: ExecutionContext, header: string, subject: string) => {
  t.is(read({...binary, 'ce-subject': header}).subject, subject);
};

test('lower case codes are read', decodes, 'Euro%20%e2%82%ac', 'Euro €');
test('needless codes are read', decodes, '%41bc', 'Abc');
test('codes are decoded once only', decodes, '%2541', '%41');
test('a percent sign that codes nothing stays', decodes, '100% of %zz', '100% of %zz');
test('a quoted value of older senders is unquoted', decodes, '"a \\"b\\" \\\\c"', 'a "b" \\c');
test('a quote in the middle stays', decodes, 'a "b" c', 'a "b" c');

const refuses = (t: ExecutionContext, headers: Headers, body: Buffer | string = '') => {
  const error = t.throws(() => readHttp(headers, Buffer.from(body)), {instanceOf: SluiceError});
  t.is(error?.code, 'malformed_event');
  t.is(error?.status, 400);
};

test('an overlong code is refused', refuses, {...binary, 'ce-subject': '%C0%A0'});
test('half a code is refused', refuses, {...binary, 'ce-subject': '%E2%82'});
test('a coded control character is refused', refuses, {...binary, 'ce-subject': 'a%0D%0Ab'});
test(
  'half a pair in a text is refused',
  refuses,
  {'content-type': json},
  `{"specversion":"1.0","id":"\\ud800","source":"/s","type":"t"}`,
);
test(
  'a content type that no header can hold is refused',
  refuses,
  {'content-type': json},
  JSON.stringify({...required, datacontenttype: 'text/plain; x=€'}),
);
test('ce-data is refused', refuses, {...binary, 'ce-data': 'x'});
test('ce-__proto__ is refused', refuses, {...binary, 'ce-__proto__': 'x'});
test('an empty name is refused', refuses, {...binary, 'ce-': 'x'});
test('a name with a dash is refused', refuses, {...binary, 'ce-my-name': 'x'});
test('no event at all is refused', refuses, {'content-type': 'application/json'}, '{}');
test(
  'binary JSON data that is no JSON is refused',
  refuses,
  {...binary, 'content-type': 'application/json'},
  '{"a":',
);
test(
  'JSON that is not UTF-8 is refused',
  refuses,
  {'content-type': json},
  Buffer.from([0x22, 0xff, 0x22]),
);
test(
  'a batch that is an object is refused',
  refuses,
  {'content-type': 'application/cloudevents-batch+json'},
  '{}',
);
test(
  'a batch with one bad event is refused',
  refuses,
  {'content-type': 'application/cloudevents-batch+json'},
  JSON.stringify([required, {...required, id: ''}]),
);
test(
  'a batch with null in it is refused',
  refuses,
  {'content-type': 'application/cloudevents-batch+json'},
  '[null]',
);
test(
  'a batch that ends too early is refused',
  refuses,
  {'content-type': 'application/cloudevents-batch+json'},
  '[{"specversion":"1.0"',
);

for (const [what, change] of Object.entries({
  'no id': {id: undefined},
  'an empty id': {id: ''},
  'an id that is a number': {id: 5},
  'an id that is null': {id: null},
  'no source': {source: undefined},
  'no type': {type: undefined},
  'no version': {specversion: undefined},
  'the version 2.0': {specversion: '2.0'},
  'the version 1': {specversion: 1},
  'an upper case name': {Subject: 'x'},
  'a name with an underscore': {my_name: 'x'},
  'an object as attribute': {extra: {}},
  'a list as attribute': {extra: []},
  'a fraction as attribute': {extra: 1.5},
  'a number that is not safe': {extra: 2 ** 53},
  'data twice': {data: 1, data_base64: 'AA=='},
  'base64 that is none': {data_base64: 'a-b_'},
  'base64 that was cut': {data_base64: 'AAA'},
  'base64 that is a number': {data_base64: 5},
})) {
  test(
    `an event with ${what} is refused`,
    refuses,
    {'content-type': json},
    JSON.stringify({...required, ...change}),
  );
}

test('an attribute that is null is absent', t => {
  t.deepEqual(readStructured({...required, subject: null, data_base64: null}), required);
});

for (const contentType of [
  'application/cloudevents+json; charset=utf-8',
  'application/cloudevents+json;charset=UTF-8',
  'Application/CloudEvents+JSON ; charset="utf-8"',
]) {
  test(`${contentType} is structured mode`, t => {
    t.deepEqual(read({'content-type': contentType}, JSON.stringify(required)), required);
  });
}

for (const contentType of [
  'application/json; charset=utf-8',
  'text/json',
  'application/problem+json;x=y',
]) {
  test(`binary data of ${contentType} is JSON, and the content type is kept`, t => {
    const event = read({...binary, 'content-type': contentType}, '{"a":1}');
    t.deepEqual(event.data, {a: 1});
    t.is(event.datacontenttype, contentType);
  });
}

test('a format that is not read is 415', t => {
  const error = t.throws(() => read({'content-type': 'application/cloudevents+avro'}), {
    instanceOf: SluiceError,
  });
  t.is(error?.status, 415);
});

test('0.3 is read as 1.0', t => {
  const old = {...required, specversion: '0.3', schemaurl: 'http://schema', data: {a: 1}};
  t.deepEqual(readStructured(old), {...required, dataschema: 'http://schema', data: {a: 1}});
  t.deepEqual(read({...binary, 'ce-specversion': '0.3'}), required);
  const coded = {...required, specversion: '0.3', datacontentencoding: 'base64', data: 'AAH/'};
  t.deepEqual(readStructured(coded), {...required, data: Buffer.from([0, 1, 255])});
});

test('bytes with no content type are not taken for JSON by who receives them', t => {
  const {headers, body} = toBinary({...required, data: Buffer.from('no JSON')});
  t.deepEqual(readHttp(headers, body).events[0]?.data, Buffer.from('no JSON'));
});

test('data that says nothing of itself is JSON where it can be, and bytes where not', t => {
  const {'content-type': _, ...silent} = binary as Record<string, string>;
  t.deepEqual(read(silent, '{"a": 1}').data, {a: 1});
  for (const bytes of [Buffer.from([1, 2, 3]), Buffer.from([0xff]), Buffer.from('{"a": ')]) {
    t.deepEqual(readHttp(silent, bytes).events[0]?.data, bytes);
  }
});

test('a text of another content type is sent without quotes', t => {
  const event = readStructured({...required, datacontenttype: 'text/xml', data: '<a b="c"/>'});
  t.is(toBinary(event).body.toString(), '<a b="c"/>');
});

test('header values that come as a list are joined', t => {
  t.is(read({...binary, 'ce-subject': ['a', 'b']}).subject, 'a, b');
});

test('__proto__ in data is data, and nothing is polluted', t => {
  const event = read(
    {'content-type': json},
    `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"__proto__":{"polluted":1}}}`,
  );
  t.true(Object.hasOwn(event.data as object, '__proto__'));
  t.is(toJson(event), JSON.stringify(event));
  t.regex(toJson(event), /"__proto__":\{"polluted":1\}/);
  t.throws(
    () =>
      read(
        {'content-type': json},
        `{"specversion":"1.0","id":"1","source":"/s","type":"t","__proto__":{"polluted":1}}`,
      ),
    {instanceOf: SluiceError},
  );
  t.is(({} as {polluted?: number}).polluted, undefined);
});

test('a refusal quotes nothing of what was sent', t => {
  const secret = 'my-prompt';
  const error = t.throws(() => read({'content-type': json}, secret));
  t.false(error?.message.includes('my'));
});
