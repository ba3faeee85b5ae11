/**
Receive: the dead letter sink of every Trigger, `POST /`.

Stores first, then answers 204 with nothing: a reply would be published by the Kafka broker. It is the last who is asked: what
it refuses is lost, so it refuses only what it cannot store.
*/
import type {Request, Response} from 'express';
import type {Queryable} from '../../events/database.ts';
import {type DeadLetter, storeDeadLetters} from '../../events/dead-letters.ts';
import {bodyOf} from '../../events/json-body.ts';
import {letterOf, type Posted, rawLetterOf} from './letter.ts';

/** Nested too deep, too long for an index: classes 22 (data) and 54 (limits). PostgreSQL will not like it better later. */
const unkeepable = /^(?:22|54)/;

export const receiveLetter = ({
  client,
  onStored = () => {},
}: {
  client: Queryable;
  /** A letter that was not there before. */
  onStored?: (letter: DeadLetter) => void;
}) =>
  async function receive(request: Request, response: Response) {
    const posted: Posted = {
      headers: request.headers,
      body: bodyOf(request),
      query: request.query,
    };
    const letter = letterOf(posted);
    if ((await store(client, letter, posted)) > 0) {
      onStored(letter);
    }
    response.status(204).end();
  };

const store = async (client: Queryable, letter: DeadLetter, posted: Posted) => {
  try {
    return await storeDeadLetters(client, [letter]);
  } catch (error) {
    const {code} = error as {code?: unknown};
    if (typeof code !== 'string' || !unkeepable.test(code)) {
      throw error;
    }
    return storeDeadLetters(client, [
      rawLetterOf(posted, `an event that cannot be kept as one (${code})`),
    ]);
  }
};
