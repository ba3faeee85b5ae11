/**
Letter: what a broker posts to its dead letter sink, as a dead letter. Nothing that comes is refused: it would be lost.

In: headers, body, the query of the sink's URI. Out: a letter, never proved, because anybody in the cluster can post one.
Knative tells by attributes of the event: `knativeerrordest` (where it was going), `knativeerrorcode` (a number; the Kafka
broker leaves it away when no answer came) and `knativeerrordata` (the answer's body in base64, cut after 1,024 characters).
It tells neither the Trigger, which the sink's URI therefore names (`/?trigger=NAME`), nor how often it tried.
*/
import {type Headers, readHttp, toJson} from '../../events/codec.ts';
import {aboutOf, type DeadLetter, digestId, storable} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';
import {withoutMarks} from './redrive.ts';

export type Posted = Readonly<{
  headers: Headers;
  body: Buffer;
  /** Of the sink's URI: `trigger`, and `broker` when it is not `default`. */
  query: Readonly<Record<string, unknown>>;
}>;

const namePattern = /^[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?$/;
const isName = (value: unknown): value is string =>
  typeof value === 'string' && namePattern.test(value);

/** What may differ between two deliveries of the same letter. */
const passing = ['traceparent', 'tracestate', 'knativearrivaltime'];

export const letterOf = (posted: Posted): DeadLetter => {
  let event: Event;
  let json: string;
  try {
    event = onlyEvent(posted);
    json = toJson(withoutMarks(event));
  } catch (error) {
    return rawLetterOf(posted, `no event: ${(error as Error).message}`);
  }
  const {query, headers} = posted;
  const {knativeerrordest, knativeerrorcode, knativeerrordata} = event;
  const status = statusOf(knativeerrorcode);
  const destination = storable(String(knativeerrordest ?? 'unknown'));
  const subscription = subscriptionOf(query, headers) ?? destination;
  const broker = query.broker ?? 'default';
  return {
    id: digestId(`${subscription}\n${destination}\n${canonical(event)}`),
    ...aboutOf(event),
    subscription,
    destination,
    origin: isName(broker) ? `broker:${broker}` : undefined,
    proved: false,
    event: json,
    attempts: undefined,
    reason: status === undefined ? 'no answer' : `the answer was ${status}`,
    status,
    errorData: readErrorData(knativeerrordata),
  };
};

const onlyEvent = ({headers, body}: Posted): Event => {
  const {events, batch} = readHttp(headers, body);
  const [event] = events;
  if (batch || event === undefined) {
    throw new Error('a batch, where one event was expected');
  }
  return event;
};

/** What is no event, or one that PostgreSQL cannot parse, as bytes. It can be shown and dropped, never redriven. */
export const rawLetterOf = ({headers, body, query}: Posted, reason: string): DeadLetter => {
  const kept = Object.entries(headers).filter(
    ([name]) => name === 'content-type' || name.startsWith('ce-'),
  );
  const raw = JSON.stringify({
    headers: Object.fromEntries(kept.sort()),
    body_base64: body.toString('base64'),
  });
  const attributes = Object.fromEntries(
    kept.filter(([name]) => name.startsWith('ce-')).map(([name, value]) => [name.slice(3), value]),
  );
  const subscription = subscriptionOf(query, headers) ?? 'unknown';
  return {
    id: digestId(`${subscription}\n${raw}`),
    ...aboutOf(attributes),
    subscription,
    destination: storable(String(attributes.knativeerrordest ?? 'unknown')),
    origin: undefined,
    proved: false,
    event: raw,
    attempts: undefined,
    reason: storable(reason),
    status: statusOf(attributes.knativeerrorcode),
    errorData: readErrorData(attributes.knativeerrordata),
  };
};

/** Named as the runner names it, where the broker says its namespace. */
const subscriptionOf = ({trigger}: Posted['query'], headers: Headers): string | undefined => {
  if (!isName(trigger)) {
    return undefined;
  }
  const namespace = headers['kn-namespace'];
  return isName(namespace) ? `trigger/${namespace}/${trigger}` : `trigger/${trigger}`;
};

/** A number in the multi-tenant broker, a text in Kafka's. */
const statusOf = (code: unknown): number | undefined => {
  const status = Number(code ?? Number.NaN);
  return Number.isInteger(status) && status >= 100 && status <= 999 ? status : undefined;
};

/** The cut may have parted a character. A text that was never base64 is itself. */
const readErrorData = (data: unknown): string | undefined => {
  if (typeof data !== 'string' || data === '') {
    return undefined;
  }
  const text = /^[A-Za-z0-9+/]+={0,2}$/.test(data) ? Buffer.from(data, 'base64').toString() : data;
  return storable(/\ufffd(?!\ufffd{0,2}$)/.test(text) ? data : text.replace(/\ufffd+$/, ''));
};

/** The attributes in one order, whichever way they travelled. */
const canonical = (event: Event): string => {
  const {data, ...attributes} = withoutMarks(event);
  const sorted = Object.entries(attributes)
    .filter(([name]) => !passing.includes(name))
    .map(([name, value]) => [name, String(value)])
    .sort();
  return toJson({...Object.fromEntries(sorted), ...(data === undefined ? {} : {data})} as Event);
};
