import test from 'ava';
import {draftFile, draftOne} from '../../functions/admin/cli/events/draft.ts';
import {post, toBatches} from '../../functions/admin/cli/events/post.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const now = new Date('2026-11-21T10:00:00Z');
const events = (count: number, data = '') =>
  draftFile(
    Array.from({length: count}, () => JSON.stringify({type: 'a', data})).join('\n'),
    {},
    now,
  );

test('a batch has as many events and bytes as a request may have', t => {
  t.deepEqual(
    toBatches(events(1_001)).map(batch => batch.length),
    [500, 500, 1],
  );
  const large = toBatches(events(10, 'x'.repeat(200 * 1024)));
  t.deepEqual(
    large.map(batch => batch.length),
    [4, 4, 2],
  );
  t.deepEqual(toBatches([]), []);
});

test('what the server asks to be tried again is, after the time that it names', async t => {
  const answers = [429, 503, 202];
  const server = await createHttpTestServer(t, (request, response) => {
    request.resume();
    response.writeHead(answers.shift() ?? 500, {'retry-after': '2'}).end('{}');
  });
  const slept: number[] = [];
  const sleep = async (ms: number) => {
    slept.push(ms);
  };
  const sent: number[] = [];
  const {requests} = await post({url: server.url, apiKey: 'k'}, events(3), {
    sleep,
    onSent: n => sent.push(n),
  });
  t.is(requests, 1);
  t.deepEqual(slept, [2_000, 2_000]);
  t.deepEqual(sent, [3]);
});

test('it gives up after a while, and says how to go on', async t => {
  const server = await createHttpTestServer(t, (request, response) => {
    request.resume();
    response
      .writeHead(503, {'retry-after': '1'})
      .end('{"code":"unavailable","detail":"too many events wait to be delivered"}');
  });
  let tries = 0;
  const sleep = async () => {
    tries += 1;
  };
  await t.throwsAsync(post({url: server.url, apiKey: 'k'}, events(2), {sleep}), {
    message:
      'line 1: too many events wait to be delivered; 0 of 2 were sent; --after 0 goes on from there',
  });
  t.is(tries, 5);
});

test('what is no answer of Sluice is told as such, whatever it is', async t => {
  const server = await createHttpTestServer(t, (request, response) => {
    request.resume();
    response.writeHead(404).end('<html>nothing here</html>');
  });
  const one = draftOne({type: 'a'}, now);
  await t.throwsAsync(post({url: server.url, apiKey: 'k'}, one), {
    message: /events answered 404 with no answer of Sluice: is this the URL of Sluice\?/,
  });
});

test('an event without an id gets one of its line and text, always the same', t => {
  const text = '{"type":"a"}\n{"type":"a"}\n{"type":"a","id":"own"}';
  const ids = draftFile(text, {}, now).map(({event}) => event.id);
  t.deepEqual(
    ids,
    draftFile(text, {}, new Date()).map(({event}) => event.id),
  );
  t.is(new Set(ids).size, 3);
  t.is(ids[2], 'own');
});
