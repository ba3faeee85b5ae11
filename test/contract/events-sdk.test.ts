import test from 'ava';
import {CloudEvent, HTTP, Kafka} from 'cloudevents';
import {
  readHttp,
  readJson,
  readKafkaRecord,
  toBatch,
  toBinary,
  toJson,
  toKafkaRecord,
  toStructured,
} from '../../events/codec.ts';
import {type Event, makeEvent} from '../../events/event.ts';
import {serve} from '../../events/serve.ts';
import {nanoseconds, odd, scalars} from '../helpers/sdk-events.ts';

/** What the official SDK carries unchanged; its faults, further down, are why we have our own codec. */
const event: Event = makeEvent({
  type: 'dev.sluice.lease.fenced.v1',
  from: 'budget',
  id: 'lease/fenced',
  orgid: '0192f0c1-7a00-7000-8000-00000000000a',
  time: new Date('2026-11-21T10:00:00.123Z'),
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  data: {
    lease: '0192f0c1-7a00-7000-8000-000000000010',
    window: '0192f0c1-7a00-7000-8000-00000000000f',
  },
});

const plain = (found: unknown) => JSON.parse(JSON.stringify(found));

for (const [mode, write] of [
  ['binary', toBinary],
  ['structured', toStructured],
] as const) {
  test(`the official SDK reads what we write in ${mode} mode`, t => {
    const {headers, body} = write(event);
    const read = HTTP.toEvent({headers, body: body.toString('utf8')}) as CloudEvent<unknown>;
    t.true(read.validate());
    t.deepEqual(plain(read), plain(event));
  });
}

for (const mode of ['binary', 'structured'] as const) {
  test(`we read what the official SDK writes in ${mode} mode`, t => {
    const made = new CloudEvent({...event, id: 'from/sdk'} as never);
    const {headers, body} = HTTP[mode](made);
    const lowered = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    );
    const {events} = readHttp(lowered, Buffer.from(String(body)));
    t.like(events[0], {id: 'from/sdk', type: event.type, orgid: event.orgid, data: event.data});
  });
}

test("a handler may answer with the SDK's event", async t => {
  const serving = await serve({
    name: 'echo',
    host: '127.0.0.1',
    onEvent: async ({id, data}) =>
      new CloudEvent({
        id: `${id}/echo`,
        source: '/functions/echo',
        type: 'test.echoed',
        data,
      }) as unknown as Event,
  });
  t.teardown(serving.close);
  const {headers, body} = toBinary(event);
  const response = await fetch(serving.url, {method: 'POST', headers, body: new Uint8Array(body)});
  t.is(response.status, 200);
  t.is(response.headers.get('ce-id'), 'lease/fenced/echo');
  t.deepEqual(await response.json(), event.data);
});

test('the official SDK reads our batches', t => {
  const {headers, body} = toBatch([event, {...event, id: '2'}]);
  const read = HTTP.toEvent({headers, body: body.toString('utf8')});
  t.deepEqual(plain(read), [plain(event), plain({...event, id: '2'})]);
});

test('the official SDK reads our records of Kafka', t => {
  const {key, value, headers} = toKafkaRecord(event);
  const message = {key: key ?? undefined, value, headers, body: value};
  t.deepEqual(plain(Kafka.toEvent(message as never)), plain(event));
});

for (const mode of ['binary', 'structured'] as const) {
  test(`we read the records of Kafka that the official SDK writes in ${mode} mode, and agree on the key`, t => {
    const {key, value, headers} = Kafka[mode](new CloudEvent(event as never));
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    t.deepEqual(readKafkaRecord({value: text, headers: headers as Record<string, string>}), event);
    t.is(key as unknown, toKafkaRecord(event).key);
  });
}

test("bytes in the SDK's event are bytes in ours, however they got in", t => {
  const {data, ...attributes} = {...event, datacontenttype: 'image/png'};
  const bytes = Buffer.from([0x89, 0xff, 0, 0x0a]);
  for (const made of [
    new CloudEvent({...attributes, data: bytes} as never),
    new CloudEvent({...attributes, data: new Uint8Array(bytes)} as never),
    new CloudEvent({...attributes, data_base64: bytes.toString('base64')} as never),
    // Read so, the SDK has four bytes for each.
    HTTP.toEvent({
      ...toStructured({...attributes, data: bytes}),
      body: toJson({...attributes, data: bytes}),
    }) as never,
  ]) {
    const {headers, body} = toBinary(made as Event);
    t.deepEqual(body, bytes);
    t.false('ce-data_base64' in headers);
    t.deepEqual(readJson(toJson(made as Event)), {...attributes, data: bytes});
  }
});

const read = (headers: Record<string, string>, body: string) =>
  HTTP.toEvent({headers, body}) as CloudEvent<unknown>;
const json = {'content-type': 'application/cloudevents+json'};

test('wrong in the official SDK: in binary mode JSON data that is a number or a boolean becomes a text', t => {
  for (const data of [0, 42, true, false, null]) {
    const {headers, body} = toBinary({...event, data});
    t.is(read(headers, String(body)).data, JSON.stringify(data));
    t.is(readHttp(headers, body).events[0]?.data, data);
  }
});

test('wrong in the official SDK: in structured mode the JSON data 0, false and an empty text are lost', t => {
  for (const data of [0, false, '']) {
    const body = toJson({...event, data});
    t.is(read(json, body).data, undefined);
    t.is(readJson(body).data, data);
  }
});

test('wrong in the official SDK: in structured mode bytes become numbers of 32 bits', t => {
  const data = Buffer.from([1, 255]);
  const body = toJson({...event, datacontenttype: 'image/png', data});
  t.true(read(json, body).data instanceof Uint32Array);
  t.deepEqual(readJson(body).data, data);
});

test('wrong in the official SDK: a charset in upper case is no structured mode', t => {
  const headers = {'content-type': 'application/cloudevents+json; charset=UTF-8'};
  t.throws(() => read(headers, toJson(event)), {message: /invalid content type/});
  t.deepEqual(readHttp(headers, Buffer.from(toJson(event))).events, [event]);
});

test('wrong in the official SDK: times are cut to milliseconds, and percent-coding is not read', t => {
  const {headers, body} = toBinary({...odd, time: nanoseconds.time as string});
  const found = read(headers, String(body));
  t.is(found.time, '2026-11-21T10:00:00.123Z');
  t.regex(found.subject ?? '', /^Euro%20/);
  t.like(readHttp(headers, body).events[0], {time: nanoseconds.time, subject: odd.subject});
});

test('wrong in the official SDK: an event without an id gets one, which breaks every deduplication; we refuse it', t => {
  const {id, ...nameless} = event;
  const body = JSON.stringify(nameless);
  t.regex(read(json, body).id, /^[0-9a-f-]{36}$/);
  t.like(
    t.throws(() => readJson(body)),
    {code: 'malformed_event'},
  );
});

test('in structured mode the official SDK reads all other JSON data as it is', t => {
  for (const [what, scalar] of Object.entries(scalars)) {
    if (![0, false, ''].includes(scalar.data as string)) {
      t.deepEqual(read(json, toJson(scalar)).data, scalar.data, what);
    }
  }
});
