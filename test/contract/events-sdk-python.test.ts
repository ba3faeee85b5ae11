import test, {type ExecutionContext} from 'ava';
import {readHttp, readJson, toBinary, toKafkaRecord, toStructured} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {nanoseconds, odd, plainEvents, scalars, withNull} from '../helpers/sdk-events.ts';
import {meaning, receive, theyRead, ways, weRead} from '../helpers/sdk-letters.ts';
import {plainOf, startPythonSdk} from '../helpers/sdks.ts';

/** The SDK has no batch mode. */
const start = (t: ExecutionContext) => {
  // The first time it is fetched.
  t.timeout(15 * 60_000);
  return startPythonSdk(t);
};

/** Of these the SDK writes in binary mode what Python's `str` makes of them, which is no JSON; see below. */
const misspelt = [false, '', 'text', [1, 'a', null]];
const isMisspelt = ({data, sampled}: Event) =>
  sampled !== undefined || misspelt.some(other => JSON.stringify(other) === JSON.stringify(data));

for (const way of ways) {
  const name = `${way[0]}, ${way[1]}`;

  test(`the Python SDK reads what we write: ${name}`, async t => {
    const sdk = await start(t);
    for (const [what, event] of Object.entries({...plainEvents, ...scalars, odd})) {
      t.deepEqual(await theyRead(sdk, way, event), meaning(event), what);
    }
  });

  test(`we read what the Python SDK writes: ${name}`, async t => {
    const sdk = await start(t);
    for (const [what, event] of Object.entries({...plainEvents, ...scalars, odd})) {
      if (way[1] === 'structured' || !isMisspelt(event)) {
        t.deepEqual(await weRead(sdk, way, event), meaning(event), what);
      }
    }
  });
}

test('the Python SDK and we agree on the key of a record', async t => {
  const sdk = await start(t);
  for (const event of [odd, {...odd, partitionkey: 'ü key'} as Event]) {
    const {key = null} = await sdk.write('kafka', 'structured', [plainOf(event)]);
    t.is(key, toKafkaRecord(event).key);
  }
});

for (const [data, written] of [
  [false, 'False'],
  ['', ''],
  ['text', 'text'],
  [[1, 'a', null], "[1, 'a', None]"],
] as const) {
  test(`wrong in the Python SDK: in binary mode the JSON data ${JSON.stringify(data)} is written as ${written || 'nothing'}`, async t => {
    const sdk = await start(t);
    const {headers, body} = await sdk.write('http', 'binary', [plainOf({...odd, data})]);
    t.is(headers['content-type'], 'application/json');
    t.is(String(body), written);
    if (written !== '') {
      const error = t.throws(() => readHttp(headers, body as Buffer));
      t.like(error, {code: 'malformed_event'});
    }
  });
}

test('wrong in the Python SDK: in binary mode an attribute that is true is written True', async t => {
  const sdk = await start(t);
  const event = {...odd, sampled: true} as Event;
  for (const binding of ['http', 'kafka'] as const) {
    const [read] = receive(binding, await sdk.write(binding, 'binary', [plainOf(event)]));
    t.is(read?.sampled, 'True');
  }
});

test('wrong in the Python SDK: times have six digits, and one is invented where there is none', async t => {
  const sdk = await start(t);
  const [cut] = await sdk.read('http', toStructured(nanoseconds));
  t.is(cut?.attributes.time, '2026-11-21T10:00:00.123456Z');
  const {time, ...timeless} = odd;
  const [invented] = await sdk.read('http', toBinary(timeless));
  t.regex(String(invented?.attributes.time), /^20/);
  t.false('time' in readJson(toStructured(timeless).body));
});

test('wrong in the Python SDK: an event without an id gets one, which breaks every deduplication; we refuse it', async t => {
  const sdk = await start(t);
  const {id, ...nameless} = odd;
  const body = Buffer.from(JSON.stringify(nameless));
  const [read] = await sdk.read('http', {
    headers: {'content-type': 'application/cloudevents+json'},
    body,
  });
  t.regex(String(read?.attributes.id), /^[0-9a-f-]{36}$/);
  t.like(
    t.throws(() => readJson(body)),
    {code: 'malformed_event'},
  );
});

test('wrong in the Python SDK: the JSON data null is read as absent, and written as nothing', async t => {
  const sdk = await start(t);
  for (const write of [toBinary, toStructured]) {
    const [read] = await sdk.read('http', write(withNull));
    t.is(read?.data, undefined);
  }
  t.is(readJson(toStructured(withNull).body).data, null);
});

test('wrong in the Python SDK: an attribute that is null, which is an absent one, is refused', async t => {
  const sdk = await start(t);
  const body = Buffer.from(JSON.stringify({...odd, subject: null}));
  const headers = {'content-type': 'application/cloudevents+json'};
  await t.throwsAsync(sdk.read('http', {headers, body}), {message: /subject/});
  t.false('subject' in readJson(body));
});
