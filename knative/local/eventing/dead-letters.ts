/**
Dead letters of the runner: stored in PostgreSQL, where the admin function lists them.

In: letters, the transaction that removes them from their queue. Out: rows of `dead_letters`. Each has an id of its own: an
event that is delivered anew and fails anew is another letter.
*/
import type {KeepDeadLetters, DeadLetter as Undelivered} from '../../../events/brokers/broker.ts';
import type {Queryable} from '../../../events/database.ts';
import {aboutOf, insertDeadLetters, storable} from '../../../events/dead-letters.ts';
import {uuidv7} from '../../../events/uuid.ts';

/** What cannot be parsed is kept as it came. */
const eventIn = ({message}: Undelivered): Readonly<Record<string, unknown>> => {
  try {
    return message.event;
  } catch {
    return {};
  }
};

export const keepDeadLettersIn =
  (pool: Queryable): KeepDeadLetters =>
  (letters, client = pool) =>
    insertDeadLetters(
      client,
      letters.map(letter => ({
        id: uuidv7(),
        ...aboutOf(eventIn(letter)),
        subscription: letter.message.subscription,
        destination: letter.destination,
        event: letter.message.json,
        attempts: letter.message.attempt,
        reason: storable(letter.reason),
        status: letter.status,
      })),
    );
