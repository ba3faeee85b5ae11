import test from 'ava';
import fc from 'fast-check';
import {
  type KafkaRecord,
  readHttp,
  readJson,
  readKafkaRecord,
  readObject,
  readRedisFields,
  redisFieldsOf,
  toBatch,
  toBinary,
  toJson,
  toKafkaRecord,
  toRedisFields,
  toStructured,
} from '../../events/codec.ts';
import {SluiceError} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';

/** Section 3.1 of the specification: no control characters, no halves of pairs. */
const text = fc
  .string({unit: 'grapheme', minLength: 1, maxLength: 20})
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the specification forbids
  .filter(value => !/[\u0000-\u001f\u007f-\u009f]/.test(value) && value.isWellFormed());
const name = fc
  .stringMatching(/^[a-z0-9]{1,20}$/)
  .filter(one => !['data', 'specversion', 'datacontenttype'].includes(one));
const required = fc.record({id: text, source: text, type: text});
const time = fc
  .tuple(fc.date({noInvalidDate: true}), fc.stringMatching(/^[0-9]{1,12}$/))
  .map(([date, digits]) => date.toISOString().replace(/\.\d+Z$/, `.${digits}+05:30`));
const optional = fc.record(
  {subject: text, orgid: text, time, tracestate: text},
  {requiredKeys: []},
);
const attributes = fc
  .tuple(
    fc.dictionary(name, fc.oneof(text, fc.boolean(), fc.maxSafeInteger()), {maxKeys: 4}),
    optional,
    required,
  )
  .map(parts => ({specversion: '1.0', ...Object.assign({}, ...parts)}) as Event);

const jsonType = fc.constantFrom(
  'application/json',
  'Application/JSON; charset=UTF-8',
  'application/json;charset="utf-8"',
  'text/json',
  'application/problem+json; x=y',
);
const otherType = fc.constantFrom(
  'image/png',
  'text/plain; charset=iso-8859-1',
  'application/json; charset=utf-16',
  'application/octet-stream',
);
/** JSON.stringify writes -0 as 0. */
const jsonData = fc.jsonValue().map(value => JSON.parse(JSON.stringify(value)) as unknown);
const data: fc.Arbitrary<object> = fc.oneof(
  fc.constant({}),
  fc.record({datacontenttype: otherType}),
  fc.record({datacontenttype: jsonType, data: jsonData}),
  fc.record({
    datacontenttype: otherType,
    data: fc.uint8Array({minLength: 1, maxLength: 40}).map(bytes => Buffer.from(bytes)),
  }),
);
const event = fc.tuple(attributes, data).map(parts => Object.assign({}, ...parts) as Event);

/** What a binding of headers makes of an event: attributes are texts. */
const inTexts = (one: Event): Event =>
  Object.fromEntries(
    Object.entries(one).map(([key, value]) => [key, key === 'data' ? value : String(value)]),
  ) as unknown as Event;

const assertSame = (title: string, property: (one: Event) => readonly [Event, Event]) =>
  test(title, t => {
    fc.assert(
      fc.property(event, one => {
        t.deepEqual(...property(one));
      }),
      {numRuns: 300},
    );
  });

const http = ({headers, body}: ReturnType<typeof toBinary>) =>
  readHttp(headers, body).events[0] as Event;

assertSame('HTTP binary: what is written is what is read', one => [
  http(toBinary(one)),
  inTexts(one),
]);
assertSame('HTTP structured: what is written is what is read', one => [
  http(toStructured(one)),
  one,
]);
assertSame('JSON: what is written is what is read', one => [readJson(toJson(one)), one]);
assertSame('JSON that is parsed already is read as its text is', one => [
  readObject(JSON.parse(toJson(one))),
  one,
]);
assertSame('Kafka structured: what is written is what is read', one => [
  readKafkaRecord(toKafkaRecord(one)),
  one,
]);
assertSame('Redis: what is written is what is read, with every field as bytes', one => [
  readRedisFields(toRedisFields(one).map(field => Buffer.from(field))),
  inTexts(one),
]);

test('HTTP binary: headers are printable ASCII, whatever the attributes are', t => {
  fc.assert(
    fc.property(attributes, one => {
      t.true(Object.values(toBinary(one).headers).every(value => /^[!-~]+$/.test(value)));
    }),
  );
});

/** As the Kafka binding says, written apart from our own code. */
const toBinaryRecord = ({data: content, datacontenttype, ...others}: Event): KafkaRecord => ({
  headers: {
    ...Object.fromEntries(
      Object.entries(others).map(([key, value]) => [`ce_${key}`, Buffer.from(String(value))]),
    ),
    ...(datacontenttype === undefined ? {} : {'content-type': Buffer.from(datacontenttype)}),
  },
  value:
    content === undefined
      ? null
      : Buffer.isBuffer(content)
        ? content
        : Buffer.from(JSON.stringify(content)),
});

assertSame('Kafka binary: what is sent is what is read', one => [
  readKafkaRecord(toBinaryRecord(one)),
  inTexts(one),
]);

test('HTTP batch: what is written is what is read, in order', t => {
  fc.assert(
    fc.property(fc.array(event, {maxLength: 5}), events => {
      const {headers, body} = toBatch(events);
      t.deepEqual(readHttp(headers, body), {events, batch: true});
    }),
  );
});

/** JSON as nobody's stringify writes it: spaces, escapes, long numbers, names twice. */
const space = fc.stringMatching(/^[ \t\n\r]{0,2}$/);
const literal = fc.oneof(
  fc.stringMatching(/^-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$/),
  fc.constantFrom(
    'true',
    'false',
    'null',
    '""',
    '"\\u0041\\/"',
    '"\\\\"',
    '"\\"data\\":{"',
    '"é€😀"',
  ),
  fc.string().map(value => JSON.stringify(value)),
);
const key = fc.oneof(
  fc.constantFrom('"data"', '"1"', '"a"', '"d\\u0061ta"', '"__proto__"'),
  fc.string().map(value => JSON.stringify(value)),
);
const {value: rawJson} = fc.letrec<{value: string}>(tie => ({
  value: fc.oneof(
    {maxDepth: 4},
    literal,
    fc
      .tuple(space, fc.array(fc.tuple(space, tie('value'), space), {maxLength: 4}))
      .map(([inner, items]) => `[${items.map(item => item.join('')).join(',') || inner}]`),
    fc
      .tuple(space, fc.array(fc.tuple(space, key, space, tie('value'), space), {maxLength: 4}))
      .map(
        ([inner, members]) =>
          `{${members.map(([a, b, c, d, e]) => `${a}${b}${c}:${d}${e}`).join(',') || inner}}`,
      ),
  ),
}));

const around = {
  specversion: '"1.0"',
  id: '"1"',
  source: '"/s"',
  type: '"t"',
  datacontenttype: '"application/json"',
};
const rawEvent = fc
  .tuple(rawJson, fc.nat({max: 5}), space, fc.constantFrom('"data"', '"d\\u0061ta"'))
  .map(([raw, place, blank, dataName]) => {
    const members = Object.entries(around).map(([one, value]) => `"${one}"${blank}:${value}`);
    members.splice(place, 0, `${dataName}${blank}:${blank}${raw}${blank}`);
    return {raw, text: `${blank}{${blank}${members.join(`${blank},${blank}`)}}${blank}`};
  });

const dataOf = (json: string) => JSON.parse(json).data as unknown;

test('whoever only forwards changes no byte of JSON data, in whatever way it comes and goes', t => {
  fc.assert(
    fc.property(fc.array(rawEvent, {minLength: 1, maxLength: 3}), sent => {
      const arrived: Array<readonly [Event, string]> = sent.flatMap(({raw, text: json}) => {
        const binary = toBinary(readJson(json));
        return [
          [readJson(json), raw],
          [http({...binary, body: Buffer.from(raw)}), raw],
          [
            readKafkaRecord({
              value: json,
              headers: {'content-type': 'application/cloudevents+json'},
            }),
            raw,
          ],
          [readRedisFields(toRedisFields(readJson(json))), raw],
          [readRedisFields(redisFieldsOf(json)), raw],
        ] as const;
      });
      const batch = Buffer.from(`[${sent.map(({text: json}) => json).join(' , ')}]`);
      const {events} = readHttp({'content-type': 'application/cloudevents-batch+json'}, batch);
      arrived.push(...events.map((one, index) => [one, sent[index]?.raw as string] as const));
      for (const [one, raw] of arrived) {
        t.is(String(toBinary(one).body), raw);
        t.true(toJson(one).endsWith(`"data":${raw}}`));
        t.deepEqual(dataOf(toJson(one)), JSON.parse(raw));
        if (typeof one.data === 'object' && one.data !== null) {
          t.is(String(toBinary({...one, added: 'x'}).body), raw, 'also with an attribute more');
        }
      }
    }),
    {numRuns: 500},
  );
});

test('Redis: the fields of a text are those of the event that is read from it', t => {
  fc.assert(
    fc.property(rawEvent, event, ({text: json}, other) => {
      t.deepEqual(redisFieldsOf(json), toRedisFields(readJson(json)));
      const written = toJson(other);
      t.deepEqual(redisFieldsOf(written), toRedisFields(readJson(written)));
    }),
    {numRuns: 500},
  );
});

const allowed = ['malformed_event', 'unsupported_media_type', 'payload_too_large'];

/** Whatever is sent is an event that can be written in every way and read again, or a refusal that is the sender's. */
const survives = (read: () => readonly Event[]) => {
  let events: readonly Event[];
  try {
    events = read();
  } catch (error) {
    if (error instanceof SluiceError && allowed.includes(error.code)) {
      return;
    }
    throw error;
  }
  for (const one of events) {
    readJson(toJson(one));
    readKafkaRecord(toKafkaRecord(one));
    toBinary(one);
    toRedisFields(one);
    readRedisFields(toRedisFields(readJson(toJson(one))).map(field => Buffer.from(field)));
  }
};

const contentType = fc.oneof(
  fc.constantFrom(
    'application/cloudevents+json',
    'application/cloudevents+json; charset=utf-16',
    'application/cloudevents-batch+json',
    'application/cloudevents+avro',
    'application/cloudevents',
    'application/json',
    'text/plain',
    '',
    ' ',
    ';',
  ),
  fc.string(),
);
const member = fc.constantFrom(
  ...['id', 'source', 'type', 'specversion', 'data', 'data_base64', 'datacontenttype', 'time'],
  ...['datacontentencoding', 'schemaurl', '__proto__', 'constructor', 'toString', 'Upper', 'x'],
);
const junkValue = fc.oneof(
  fc.constantFrom('1.0', '0.3', '', '%ff', '"', '\ud800', 'base64', 'AAE=', 'application/json'),
  fc.string({unit: 'binary'}),
);
const bytes = fc.oneof(
  fc.uint8Array().map(some => Buffer.from(some)),
  fc.json().map(json => Buffer.from(json)),
  rawEvent.map(({text: json}) => Buffer.from(json)),
  fc
    .dictionary(member, fc.oneof(junkValue, fc.jsonValue()))
    .map(some =>
      Buffer.from(JSON.stringify({specversion: '1.0', id: '1', source: '/s', type: 't', ...some})),
    ),
);
const junkAttributes = fc
  .tuple(fc.boolean(), fc.dictionary(fc.oneof(member, fc.string()), junkValue))
  .map(([valid, some]) =>
    Object.entries({
      ...(valid ? {specversion: '1.0', id: '1', source: '/s', type: 't'} : {}),
      ...some,
    }),
  );
const field = (value: string) => fc.oneof(fc.constant(value), fc.constant(Buffer.from(value)));

test('HTTP: junk is refused, or is an event that can be sent on', t => {
  fc.assert(
    fc.property(junkAttributes, contentType, bytes, (some, type, body) => {
      const headers = Object.fromEntries(some.map(([one, value]) => [`ce-${one}`, value]));
      survives(() => readHttp({...headers, 'content-type': type}, body).events);
    }),
    {numRuns: 2_000},
  );
  t.pass();
});

test('Kafka: junk is refused, or is an event that can be sent on', t => {
  const header = junkValue.chain(value =>
    fc.oneof(field(value), fc.array(field(value), {maxLength: 2}), fc.constant(undefined)),
  );
  const record = fc.record({
    headers: fc
      .tuple(junkAttributes, fc.option(contentType), fc.dictionary(fc.string(), header))
      .map(([some, type, others]) => ({
        ...others,
        ...Object.fromEntries(some.map(([one, value]) => [`ce_${one}`, value])),
        ...(type === null ? {} : {'content-type': type}),
      })),
    value: fc.option(bytes),
  });
  fc.assert(
    fc.property(record, one => survives(() => [readKafkaRecord(one)])),
    {numRuns: 2_000},
  );
  t.pass();
});

test('Redis: junk is refused, or is an event that can be sent on', t => {
  const entry = fc
    .tuple(
      junkAttributes,
      fc.option(contentType),
      fc.option(bytes),
      fc.array(
        fc.uint8Array().map(some => Buffer.from(some)),
        {maxLength: 3},
      ),
    )
    .map(([some, type, body, others]) => [
      ...some.flatMap(([one, value]) => [Buffer.from(`ce_${one}`), Buffer.from(value)]),
      ...(type === null ? [] : ['content-type', type]),
      ...(body === null ? [] : ['data', body]),
      ...others,
    ]);
  fc.assert(
    fc.property(entry, one => survives(() => [readRedisFields(one)])),
    {numRuns: 2_000},
  );
  t.pass();
});
