/**
Filter attribute: how a filter reads one attribute of an event.

In: an event, a name. Out: its text; undefined when the event has none. As in Knative's multi-tenant broker, where events travel
in binary mode: every value is a text; `time` is the instant in UTC, without the zeros at the end of its fraction; what is
optional and absent is empty, and an absent time is the zero of Go. The count of hops is taken off before a filter looks.
*/
import type {Event} from '../../../events/event.ts';

const optional = ['subject', 'dataschema', 'datacontenttype'];

/** What Knative makes of an event without a time. Its Kafka broker makes nothing of it, so `lint:knative` forbids the question. */
const zeroTime = '0001-01-01T00:00:00Z';

const hops = 'knativebrokerttl';

export const attributeText = (event: Event, name: string): string | undefined => {
  // An attribute may be called `constructor`, and every object has one of these.
  const own = Object.hasOwn(event, name) ? event[name] : undefined;
  const value = own === undefined || own === null ? undefined : String(own);
  if (name === 'time') {
    return value === undefined ? zeroTime : canonicalTime(value);
  }
  if (name === hops) {
    return undefined;
  }
  return value ?? (optional.includes(name) ? '' : undefined);
};

/** Nanoseconds are as far as a time goes; further digits are cut. What is no RFC 3339 time stays what it is. */
export const canonicalTime = (text: string): string => {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const ms = found ? Date.parse(`${found[1]}${found[3]}`) : Number.NaN;
  const [, seconds] = Number.isNaN(ms)
    ? []
    : (/^(\d{4}-.{14})\.000Z$/.exec(new Date(ms).toISOString()) ?? []);
  const digits = (found?.[2] ?? '').slice(0, 9).replace(/0+$/, '');
  return seconds === undefined ? text : `${seconds}${digits === '' ? '' : `.${digits}`}Z`;
};
