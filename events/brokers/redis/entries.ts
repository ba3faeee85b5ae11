/**
Entries: what is read from a stream, made messages.

In: ids, delivery counts and fields as Redis answers them, as bytes. Out: messages, and for what is no CloudEvent a message that
keeps the fields as they came, so that a dead letter can show them.
*/
import {readRedisFields, toJson} from '../../codec.ts';
import type {Event} from '../../event.ts';
import type {Message} from '../broker.ts';

/** Without fields: the entry was deleted while it was pending. */
export type Entry = Readonly<{
  id: string;
  deliveries: number;
  fields: readonly Buffer[] | undefined;
}>;

/** `[id, [name, value, …]]`, a list of them, as in XREADGROUP's reply. */
export const newEntries = (reply: unknown): Entry[] =>
  (reply as [Buffer, Buffer[]][]).map(([id, fields]) => ({
    id: id.toString(),
    deliveries: 1,
    fields,
  }));

/** `[id, deliveries, fields]`, as the script `claim` answers. */
export const claimedEntries = (reply: unknown): Entry[] =>
  (reply as [Buffer, number, Buffer[] | undefined][]).map(([id, deliveries, fields]) => ({
    id: id.toString(),
    deliveries,
    fields,
  }));

export type Read =
  | Readonly<{message: Message; fault?: undefined}>
  | Readonly<{message: Message; fault: Error}>;

export const readEntry = (subscription: string, {id, deliveries, fields = []}: Entry): Read => {
  const known = {id, subscription, attempt: deliveries};
  try {
    return {message: messageOfEvent(known, readRedisFields(fields))};
  } catch (error) {
    const json = JSON.stringify({fields: fields.map(field => field.toString('base64'))});
    const unreadable = {
      ...known,
      json,
      get event(): Event {
        throw error;
      },
    };
    return {message: unreadable, fault: error as Error};
  }
};

/** The text is made when somebody asks for it: most hand the event on in another mode. */
const messageOfEvent = (known: Omit<Message, 'json' | 'event'>, event: Event): Message => {
  let json: string | undefined;
  return {
    ...known,
    event,
    get json() {
      json ??= toJson(event);
      return json;
    },
  };
};

/** Less than 0 when `a` is the older. */
export const compareIds = (a: string, b: string): number => {
  const [aMs = '0', aSequence = '0'] = a.split('-');
  const [bMs = '0', bSequence = '0'] = b.split('-');
  return compareNumbers(aMs, bMs) || compareNumbers(aSequence, bSequence);
};

/** Of 64 bits, which is more than a number holds. */
const compareNumbers = (a: string, b: string) =>
  a.length === b.length ? (a < b ? -1 : a > b ? 1 : 0) : a.length - b.length;

export const oldestOf = (ids: readonly string[]): string | undefined =>
  ids.reduce<string | undefined>(
    (oldest, id) => (oldest === undefined || compareIds(id, oldest) < 0 ? id : oldest),
    undefined,
  );
