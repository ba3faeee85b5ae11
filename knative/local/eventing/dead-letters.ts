/**
Dead letters of the runner: stored in PostgreSQL, where the admin function lists them.

In: letters, the transaction that removes them from their queue. Out: rows of `dead_letters`.
*/
import type {DeadLetter, KeepDeadLetters} from '../../../events/brokers/broker.ts';
import type {Queryable} from '../../../events/database.ts';
import {isUuid, uuidv7} from '../../../events/uuid.ts';

/** PostgreSQL keeps every character but this one. */
const keepable = (text: unknown) => (typeof text === 'string' ? text.replaceAll('\0', '') : null);

const rowOf = ({message, reason, status, destination}: DeadLetter) => {
  let event: Readonly<Record<string, unknown>> = {};
  try {
    event = message.event;
  } catch {
    // What cannot be parsed is kept as it came.
  }
  return {
    id: uuidv7(),
    org_id: isUuid(event.orgid) ? event.orgid : null,
    subscription: message.subscription,
    destination,
    source: keepable(event.source),
    event_id: keepable(event.id),
    type: keepable(event.type),
    event: message.json,
    attempts: message.attempt,
    reason: keepable(reason),
    status: status ?? null,
  };
};

export const keepDeadLettersIn =
  (pool: Queryable): KeepDeadLetters =>
  async (letters, client = pool) => {
    for (const row of letters.map(rowOf)) {
      const columns = Object.keys(row);
      await client.query(
        `insert into dead_letters (${columns.join(', ')}) values (${columns.map((_, index) => `$${index + 1}`).join(', ')})`,
        Object.values(row),
      );
    }
  };
