/**
Handle: greets over HTTP, and by an event for an event.

In: `GET /hello?name=Ada`, or the event dev.sluice.hello.requested.v1. Out: JSON, or the event dev.sluice.hello.greeted.v1. It keeps
nothing: a redelivered event gets the same reply under the same id, so whoever reads the reply can drop the second.
*/
import {hash} from 'node:crypto';
import type {Router} from 'express';
import {SluiceError} from '../../events/errors.ts';
import {type Event, makeEvent} from '../../events/event.ts';
import {greet, nameCharactersMax, readName} from './greeting.ts';

const expected = `name is a text of 1 to ${nameCharactersMax} characters without control characters`;

export const greetRequested = ({now = () => new Date()}: {now?: () => Date} = {}) =>
  async function greetRequested(event: Event) {
    if (event.type !== 'dev.sluice.hello.requested.v1') {
      throw new SluiceError(
        'unprocessable_event',
        `expected dev.sluice.hello.requested.v1, got ${event.type}`,
      );
    }
    const name = readName((event.data as {name?: unknown} | null | undefined)?.name);
    if (name === undefined) {
      throw new SluiceError('unprocessable_event', expected);
    }
    return makeEvent({
      type: 'dev.sluice.hello.greeted.v1',
      from: 'hello',
      // An id is unique to its source only, so both go into ours.
      id: hash('sha256', JSON.stringify([event.source, event.id])).slice(0, 32),
      time: now(),
      traceparent: event.traceparent,
      data: {name, greeting: greet(name)},
    });
  };

export const routes = (router: Router) => {
  router.get('/hello', (request, response) => {
    const name = readName(request.query.name ?? 'stranger');
    if (name === undefined) {
      throw new SluiceError('bad_request', expected, {parameter: 'name'});
    }
    response.json({greeting: greet(name)});
  });
};
