/**
Handle: answers the event of one function with the next event, which is all that a chain of functions is.

In: dev.sluice.hello.greeted.v1, or `GET /world`. Out: dev.sluice.world.greeted.v1, or JSON. It keeps nothing: the reply to a
redelivered event has the same id.
*/
import {hash} from 'node:crypto';
import type {Router} from 'express';
import {SluiceError} from '../../events/errors.ts';
import {type Event, makeEvent} from '../../events/event.ts';
import {greetingCharactersMax, greetWorld, nameCharactersMax} from './greeting.ts';

export const greetAfterHello = ({now = () => new Date()}: {now?: () => Date} = {}) =>
  async function greetAfterHello(event: Event) {
    if (event.type !== 'dev.sluice.hello.greeted.v1') {
      throw new SluiceError(
        'unprocessable_event',
        `expected dev.sluice.hello.greeted.v1, got ${event.type}`,
      );
    }
    const {name, greeting} = (event.data ?? {}) as {name?: unknown; greeting?: unknown};
    const whole = greetWorld(greeting);
    if (
      typeof name !== 'string' ||
      name === '' ||
      name.length > nameCharactersMax ||
      whole === undefined
    ) {
      throw new SluiceError(
        'unprocessable_event',
        `name is a text of at most ${nameCharactersMax} characters, greeting one of ${greetingCharactersMax}, ours included`,
      );
    }
    return makeEvent({
      type: 'dev.sluice.world.greeted.v1',
      from: 'world',
      id: hash('sha256', JSON.stringify([event.source, event.id])).slice(0, 32),
      time: now(),
      traceparent: event.traceparent,
      data: {name, greeting: whole},
    });
  };

export const routes = (router: Router) => {
  router.get('/world', (_request, response) => {
    response.json({greeting: 'Hello, world!'});
  });
};
