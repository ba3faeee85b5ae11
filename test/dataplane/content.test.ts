/** Content: how much of an event arrives, and how often: large ones, many, none, attributes of any name. */
import {hash, randomBytes} from 'node:crypto';
import test from 'ava';
import {openPlane} from './plane.ts';
import {binary, post} from './post.ts';

const everything = {triggers: [{name: 'all'}]};

test('an event of a megabyte is delivered intact', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const bytes = randomBytes(1024 * 1024);
  const {status} = await post(
    url,
    binary('large', {'content-type': 'application/octet-stream'}),
    bytes,
  );
  t.true(status >= 200 && status < 300, String(status));
  const [received] = await receiver.count('/all', 1);
  t.is(received?.body.length, bytes.length);
  t.is(hash('sha256', received?.body ?? ''), hash('sha256', bytes));
});

test('text of a megabyte in structured mode is delivered intact', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const data = {text: 'ä€😀\u0000"\\'.repeat(100_000)};
  await post(
    url,
    {'content-type': 'application/cloudevents+json'},
    JSON.stringify({specversion: '1.0', id: '1', source: '/test', type: 'test.done', data}),
  );
  const [received] = await receiver.count('/all', 1);
  t.deepEqual(JSON.parse(String(received?.body)), data);
});

test('many events at once are delivered once to every Trigger that wants them', async t => {
  const {url, receiver} = await openPlane(t, {
    triggers: [
      {name: 'all'},
      {name: 'even', filters: [{exact: {parity: 'even'}}]},
      {name: 'odd', filters: [{exact: {parity: 'odd'}}]},
    ],
  });
  const ids = Array.from({length: 200}, (_, n) => `e${n}`);
  const parityOf = (id: string) => (Number(id.slice(1)) % 2 === 0 ? 'even' : 'odd');
  const statuses = await Promise.all(
    ids.map(async id => (await post(url, binary(id, {parity: parityOf(id)}))).status),
  );
  t.deepEqual([...new Set(statuses.map(status => Math.floor(status / 100)))], [2]);
  await receiver.count('/all', 200);
  await receiver.count('/even', 100);
  await receiver.count('/odd', 100);
  // Whatever would come twice has come when the same Triggers have taken something younger.
  await post(url, binary('e200', {parity: 'even'}));
  await post(url, binary('e201', {parity: 'odd'}));
  await receiver.count('/all', 202);
  await receiver.count('/even', 101);
  await receiver.count('/odd', 101);
  const sorted = (path: string) =>
    receiver
      .at(path)
      .map(({id}) => id)
      .sort();
  const expected = [...ids, 'e200', 'e201'].sort();
  t.deepEqual(sorted('/all'), expected);
  for (const parity of ['even', 'odd']) {
    t.deepEqual(
      sorted(`/${parity}`),
      expected.filter(id => parityOf(id) === parity),
    );
  }
});

test('an event without data is delivered without data, in either mode', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const {'content-type': _, ...attributes} = binary('binary');
  await post(url, attributes, '');
  await post(
    url,
    {'content-type': 'application/cloudevents+json'},
    JSON.stringify({specversion: '1.0', id: 'structured', source: '/test', type: 'test.done'}),
  );
  const received = await receiver.count('/all', 2);
  t.deepEqual(received.map(({id}) => id).sort(), ['binary', 'structured']);
  for (const {id, body} of received) {
    t.is(body.length, 0, id);
  }
});

test('data without a content type is delivered as it is', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const {'content-type': _, ...attributes} = binary('1');
  await post(url, attributes, Buffer.from([1, 2, 3]));
  const [received] = await receiver.count('/all', 1);
  t.deepEqual(received?.body, Buffer.from([1, 2, 3]));
});

test('extension attributes may have any name of letters and digits', async t => {
  const {url, receiver} = await openPlane(t, everything);
  const extensions: Record<string, string> = {
    a: 'one letter',
    '7': 'a digit',
    '0x9': 'digits first',
    constructor: 'of objects',
    toString: 'written with a capital',
    idx: 'begins as an attribute of the core',
    datax: 'begins as data',
    thisnameislongerthantwentycharacters: 'long',
    number: '007',
    percent: '100%25',
  };
  const {status} = await post(url, binary('1', extensions));
  t.true(status >= 200 && status < 300, String(status));
  const [received] = await receiver.count('/all', 1);
  for (const [name, value] of Object.entries(extensions)) {
    const arrived = received?.headers[`ce-${name.toLowerCase()}`];
    t.is(decodeURIComponent(String(arrived)), decodeURIComponent(value), name);
  }
});

for (const name of ['odd-name', 'odd_name', 'odd.name', 'odd!', 'data_base64']) {
  test(`an event with an attribute "${name}" is refused with a 4xx`, async t => {
    const {url} = await openPlane(t, everything);
    const {status} = await post(url, binary('1', {[name]: 'x'}));
    t.true(status >= 400 && status < 500, String(status));
  });
}
