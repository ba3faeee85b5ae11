/** The door of a Broker: what it takes, what it refuses, and that what goes in comes out. */
import test from 'ava';
import {openPlane} from './plane.ts';
import {binary, post} from './post.ts';

const everything = {triggers: [{name: 'all'}]};

test('an event in binary mode arrives as it was sent, attributes and bytes', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const sent = {
    ...binary('1', {
      subject: 'Euro%20%E2%82%AC',
      time: '2026-01-02T03:04:05.123456789Z',
      dataschema: 'https://example.com/schema',
      partitionkey: 'p/1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      somenumber: '42',
      sometruth: 'true',
    }),
  };
  const body = ' {"text": "nul \\u0000, €", "big": 12345678901234567890, "none": null} ';
  const answer = await post(url, sent, body);
  t.true(answer.status >= 200 && answer.status < 300, String(answer.status));
  t.is(answer.body, '');
  const [received] = await receiver.count('/all', 1);
  for (const name of Object.keys(sent).filter(
    name => name.startsWith('ce-') && !['ce-traceparent', 'ce-subject'].includes(name),
  )) {
    t.is(received?.headers[name], (sent as Record<string, string>)[name], name);
  }
  t.is(decodeURIComponent(String(received?.headers['ce-subject'])), 'Euro €');
  t.is(received?.headers['content-type'], 'application/json');
  t.deepEqual(JSON.parse(received?.body.toString() ?? ''), JSON.parse(body));
  t.regex(received?.body.toString() ?? '', /12345678901234567890/);
});

for (const [contentType, body] of [
  ['application/xml', '<a>€</a>'],
  ['application/vnd.apache.thrift.binary', Buffer.from([0, 1, 2, 0xff, 0xfe])],
  ['text/plain; charset=utf-8', 'plain'],
  ['application/octet-stream', Buffer.from([0x80, 0])],
  ['application/x-nobody-knows; level="1"', '{"not": json'],
] as const) {
  test(`bytes of ${contentType} are delivered untouched`, async t => {
    const {url, receiver} = await openPlane(t, everything);
    await post(url, binary('1', {'content-type': contentType}), body);
    const [received] = await receiver.count('/all', 1);
    t.deepEqual(received?.body, Buffer.from(body));
    t.is(received?.headers['content-type'], contentType);
  });
}

test('an event in structured mode is delivered in binary mode', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const answer = await post(
    url,
    {'content-type': 'application/cloudevents+json; charset=UTF-8'},
    JSON.stringify({
      specversion: '1.0',
      id: '1',
      source: '/test',
      type: 'test.done',
      datacontenttype: 'application/json',
      extension: 'value',
      data: {n: 1},
    }),
  );
  t.true(answer.status >= 200 && answer.status < 300);
  const [received] = await receiver.count('/all', 1);
  t.like(received?.headers, {
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': '/test',
    'ce-type': 'test.done',
    'ce-extension': 'value',
    'content-type': 'application/json',
  });
  t.deepEqual(JSON.parse(received?.body.toString() ?? ''), {n: 1});
});

test('base64 data of an event in structured mode is delivered as bytes', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const bytes = Buffer.from([0, 255, 10, 13, 128]);
  await post(
    url,
    {'content-type': 'application/cloudevents+json'},
    JSON.stringify({
      specversion: '1.0',
      id: '1',
      source: '/test',
      type: 'test.done',
      datacontenttype: 'application/octet-stream',
      data_base64: bytes.toString('base64'),
    }),
  );
  const [received] = await receiver.count('/all', 1);
  t.deepEqual(received?.body, bytes);
});

test('an event of CloudEvents 0.3 is taken', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const answer = await post(url, {...binary('1'), 'ce-specversion': '0.3'});
  t.true(answer.status >= 200 && answer.status < 300);
  await receiver.count('/all', 1);
  t.pass();
});

const refused: Record<string, [Record<string, string>, string?]> = {
  'without an id': [{...binary('1'), 'ce-id': ''}],
  'without a type': [
    Object.fromEntries(Object.entries(binary('1')).filter(([name]) => name !== 'ce-type')),
  ],
  'of an unknown version': [{...binary('1'), 'ce-specversion': '19.0'}],
  'that is no event at all': [{'content-type': 'application/json'}, '{"a": 1}'],
  'that is broken JSON': [{'content-type': 'application/cloudevents+json'}, '{"specversion": '],
};

for (const [what, [headers, body]] of Object.entries(refused)) {
  test(`an event ${what} is refused with a 4xx and delivered to nobody`, async t => {
    const {url, receiver} = await openPlane(t, everything);
    const answer = await post(url, headers, body);
    t.true(answer.status >= 400 && answer.status < 500, String(answer.status));
    await post(url, binary('after'));
    await receiver.count('/all', 1);
    t.deepEqual(
      receiver.all().map(({id}) => id),
      ['after'],
    );
  });
}

test('methods other than POST are refused with a 405, OPTIONS is answered', async t => {
  const {url} = await openPlane(t, everything);
  for (const method of ['GET', 'PUT', 'DELETE'] as const) {
    t.is((await post(url, {}, '', method)).status, 405, method);
  }
  t.is((await post(url, {}, '', 'OPTIONS')).status, 200);
});

test('a Broker that is not there is a 4xx', async t => {
  const {url} = await openPlane(t, everything);
  const {status} = await post(url.replace(/default$/, 'nobody'), binary('1'));
  t.true(status >= 400 && status < 500, String(status));
});

test('the same event posted twice is delivered twice: dropping doubles is the receiver’s part', async t => {
  const {url, receiver} = await openPlane(t, everything);
  await post(url, binary('1'));
  await post(url, binary('1'));
  await receiver.count('/all', 2);
  t.pass();
});
