import test from 'ava';
import type {Event} from '../../events/event.ts';
import {createApp} from '../../events/serve.ts';
import {greetRequested} from '../../functions/hello/handle.ts';
import {greetWorld} from '../../functions/world/greeting.ts';
import {greetAfterHello, routes} from '../../functions/world/handle.ts';
import {createHttpTestServer} from '../helpers/http.ts';

const requested: Event = {
  specversion: '1.0',
  id: '1',
  source: '/test',
  type: 'dev.sluice.hello.requested.v1',
  data: {name: 'Ada'},
};

test('the world is greeted after whoever was greeted before', t => {
  t.is(greetWorld('Hello, Ada!'), 'Hello, Ada! Hello, world!');
});

test('what is no greeting, or would be too long a one, is not gone on with', t => {
  for (const value of ['', 'a'.repeat(200), '\ud800', 7, null, undefined]) {
    t.is(greetWorld(value), undefined);
  }
});

test('what hello replies is what world takes', async t => {
  const reply = await greetAfterHello()(await greetRequested()(requested));
  t.like(reply, {
    type: 'dev.sluice.world.greeted.v1',
    source: '/functions/world',
    data: {name: 'Ada', greeting: 'Hello, Ada! Hello, world!'},
  });
});

test('the longest name that hello takes is one that world takes', async t => {
  const greeted = await greetRequested()({...requested, data: {name: 'a'.repeat(100)}});
  await t.notThrowsAsync(greetAfterHello()(greeted));
});

test('an event that can never be handled is refused so that it is not retried', async t => {
  const {data: _, ...bare} = await greetRequested()(requested);
  for (const event of [
    requested,
    bare,
    {...bare, data: null},
    {...bare, data: {name: 'Ada'}},
    {...bare, data: {name: 'a'.repeat(101), greeting: 'Hello'}},
  ]) {
    await t.throwsAsync(greetAfterHello()(event as Event), {code: 'unprocessable_event'});
  }
});

test('it answers over HTTP', async t => {
  const {url} = await createHttpTestServer(
    t,
    createApp({name: 'world', onEvent: greetAfterHello(), routes}),
  );
  t.deepEqual(await (await fetch(`${url}/world`)).json(), {greeting: 'Hello, world!'});
});
