import test, {type ExecutionContext} from 'ava';
import {readJson, toBatch, toBinary, toKafkaRecord, toStructured} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';
import {nanoseconds, odd, plainEvents, scalars, withNull} from '../helpers/sdk-events.ts';
import {meaning, receive, theyRead, ways, weRead} from '../helpers/sdk-letters.ts';
import {meaningOf, plainOf, startGoSdk} from '../helpers/sdks.ts';

const start = (t: ExecutionContext) => {
  // The first time it is fetched and compiled.
  t.timeout(15 * 60_000);
  return startGoSdk(t);
};

const events: Readonly<Record<string, Event>> = {
  ...plainEvents,
  ...scalars,
  'nine digits of a second': nanoseconds,
  'the JSON data null': withNull,
};

for (const way of ways) {
  const name = `${way[0]}, ${way[1]}`;

  test(`the Go SDK reads what we write: ${name}`, async t => {
    const sdk = await start(t);
    for (const [what, event] of Object.entries(events)) {
      t.deepEqual(await theyRead(sdk, way, event), meaning(event), what);
    }
  });

  test(`we read what the Go SDK writes: ${name}`, async t => {
    const sdk = await start(t);
    for (const [what, event] of Object.entries(events)) {
      t.deepEqual(await weRead(sdk, way, event), meaning(event), what);
    }
  });

  if (name !== 'http, binary') {
    test(`attributes that are not ASCII go to and from the Go SDK: ${name}`, async t => {
      const sdk = await start(t);
      t.deepEqual(await theyRead(sdk, way, odd), meaning(odd));
      t.deepEqual(await weRead(sdk, way, odd), meaning(odd));
    });
  }
}

test('the Go SDK reads our batches, also an empty one', async t => {
  const sdk = await start(t);
  const all = Object.values(events);
  const read = await sdk.read('http', toBatch(all));
  t.deepEqual(read.map(meaningOf), all.map(meaning));
  t.deepEqual(await sdk.read('http', toBatch([])), []);
});

test('we read the batches of the Go SDK, in order', async t => {
  const sdk = await start(t);
  const all = Object.values(events);
  const read = receive('http', await sdk.write('http', 'batch', all.map(plainOf)));
  t.deepEqual(read.map(meaning), all.map(meaning));
});

test('the Go SDK and we agree on the key of a record', async t => {
  const sdk = await start(t);
  for (const event of [odd, {...odd, partitionkey: 'ü key'} as Event]) {
    const {key = null} = await sdk.write('kafka', 'structured', [plainOf(event)]);
    t.is(key, toKafkaRecord(event).key);
  }
});

test('numbers with more digits than a double has go from the Go SDK through us to it untouched', async t => {
  const sdk = await start(t);
  const data = Buffer.from('{"n":12345678901234567890.10,"b":1,"1":1.0}');
  const {attributes} = plainOf(nanoseconds);
  const letter = await sdk.write('http', 'structured', [{attributes, data}]);
  const [event] = receive('http', letter) as [Event];
  for (const write of [toBinary, toStructured]) {
    const [read] = await sdk.read('http', write({...event, added: 'on the way'}));
    t.is(read?.data?.toString(), data.toString());
  }
});

test('an offset of a time is kept by us, and is the same instant to the Go SDK', async t => {
  const sdk = await start(t);
  const event = {...nanoseconds, time: '2026-11-21T15:30:00.123456789+05:30'};
  const [read] = await sdk.read('http', toStructured(event));
  t.is(read?.attributes.time, '2026-11-21T10:00:00.123456789Z');
  t.is(readJson(toStructured(event).body).time, event.time);
});

test('wrong in the Go SDK: percent-coding over HTTP, which section 3.1.3.2 of the binding demands, is neither written nor read', async t => {
  const sdk = await start(t);
  const [read] = await sdk.read('http', toBinary(odd));
  t.is(read?.attributes.subject, 'Euro%20%E2%82%AC%20%F0%9F%98%80%20%22100%25%22%20~');
  const {headers} = await sdk.write('http', 'binary', [plainOf(odd)]);
  t.is(headers['ce-subject'], odd.subject);
});

test('whole numbers over 32 bits, which the specification has not, are kept by us and refused by the Go SDK', async t => {
  const sdk = await start(t);
  const event = {...odd, large: 2 ** 40} as Event;
  await t.throwsAsync(sdk.read('http', toStructured(event)), {message: /out of range/});
  t.is(readJson(toStructured(event).body).large, 2 ** 40);
});

test('the Go SDK refuses what we refuse', async t => {
  const sdk = await start(t);
  const headers = {'content-type': 'application/cloudevents+json'};
  for (const change of [{specversion: '2.0'}, {id: ''}, {source: ''}, {type: ''}, {a_b: '1'}]) {
    const body = Buffer.from(JSON.stringify({...odd, ...change}));
    await t.throwsAsync(sdk.read('http', {headers, body}), undefined, JSON.stringify(change));
    t.throws(() => readJson(body), {message: /./}, JSON.stringify(change));
  }
});
