import test from 'ava';
import type {Event} from '../../events/event.ts';
import {createApp} from '../../events/serve.ts';
import {greet, readName} from '../../functions/hello/greeting.ts';
import {greetRequested, routes} from '../../functions/hello/handle.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const requested = (data: unknown, attributes: Partial<Event> = {}): Event => ({
  specversion: '1.0',
  id: '1',
  source: '/test',
  type: 'dev.sluice.hello.requested.v1',
  data,
  ...attributes,
});

test('a name is trimmed and greeted', t => {
  t.is(readName('  Ada '), 'Ada');
  t.is(greet('Ada'), 'Hello, Ada!');
});

test('what cannot be a name is none', t => {
  for (const value of [
    '',
    ' ',
    'a'.repeat(101),
    'a\u0000',
    'a\nb',
    '\ud800',
    7,
    null,
    undefined,
    {},
    ['Ada'],
  ]) {
    t.is(readName(value), undefined);
  }
});

test('a request by event is answered by an event of the catalogue', async t => {
  const handle = greetRequested({now: () => new Date('2026-11-21T10:00:00Z')});
  const reply = await handle(requested({name: 'Ada'}));
  t.like(reply, {
    type: 'dev.sluice.hello.greeted.v1',
    source: '/functions/hello',
    time: '2026-11-21T10:00:00.000Z',
    data: {name: 'Ada', greeting: 'Hello, Ada!'},
  });
});

test('a redelivered event gets a reply with the same id, another event another', async t => {
  const handle = greetRequested();
  const {id} = await handle(requested({name: 'Ada'}));
  t.is((await handle(requested({name: 'Ada'}))).id, id);
  t.not((await handle(requested({name: 'Ada'}, {id: '2'}))).id, id);
  t.not((await handle(requested({name: 'Ada'}, {source: '/other'}))).id, id);
});

test('an event that can never be handled is refused so that it is not retried', async t => {
  for (const event of [
    requested({name: ''}),
    requested(undefined),
    requested(null),
    requested({name: 'Ada'}, {type: 'other'}),
  ]) {
    await t.throwsAsync(greetRequested()(event), {code: 'unprocessable_event'});
  }
});

test('it answers over HTTP, and takes events there', async t => {
  const {url} = await createHttpTestServer(
    t,
    createApp({name: 'hello', onEvent: greetRequested(), routes}),
  );
  t.deepEqual(await (await fetch(`${url}/hello?name=Ada`)).json(), {greeting: 'Hello, Ada!'});
  t.is((await fetch(`${url}/hello?name=a&name=b`)).status, 400);
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': '1',
      'ce-source': '/test',
      'ce-type': 'dev.sluice.hello.requested.v1',
    },
    body: '{"name": "Ada"}',
  });
  t.is(response.status, 200);
  t.is(response.headers.get('ce-type'), 'dev.sluice.hello.greeted.v1');
  t.deepEqual(await response.json(), {name: 'Ada', greeting: 'Hello, Ada!'});
});
