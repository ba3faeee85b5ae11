/**
Event: the envelope that everything in Sluice travels in, and the words that everything in Sluice uses.

organisation   the tenant; `orgid` of an event, `org_id` of a row
project        a team inside an organisation
key            an API key of a project
principal      who a request is from, once authenticated
model          a name that clients ask for, in an environment
endpoint       one URL that serves a model
environment    development, staging or production
function       one folder of `functions/`, one Knative Service
log            an ordered topic of events that carry truth (`sluice.usage`); at least once, in order per organisation
broker         where events that are hints go; Triggers take from it
budget         a limit on an amount: nano-USD, tokens or GPU-ms
window         the period in which a budget counts
lease          a slice of a window that one gateway process holds and spends from without asking
hold           the most that one running request can still cost, taken from a lease
intent, result the events inference.started and inference.finished of a request
settlement     the one act that charges a request: by its result, or as unsettled
ledger         the append-only table of what was charged
fence          the end of a lease whose holder may be dead: nothing new on it counts
marker         an event that says: who reads this has read everything before it
outbox         rows that wait to be sent, written in the transaction that made them true
dead letter    an event that could not be delivered, kept
*/
import type {EventData} from './types.ts';

/** CloudEvents 1.0, section 2. Extension names are lower case; `data` is JSON. */
export type Event<Data = unknown> = Readonly<{
  specversion: '1.0';
  /** Unique together with `source`. */
  id: string;
  source: string;
  type: string;
  subject?: string;
  /** RFC 3339. */
  time?: string;
  datacontenttype?: string;
  dataschema?: string;
  /** The organisation that the event is about. */
  orgid?: string;
  projectid?: string;
  /** What order is kept by; the organisation unless said. */
  partitionkey?: string;
  traceparent?: string;
  tracestate?: string;
  data?: Data;
}> & {readonly [extension: string]: unknown};

/** An event that is JSON already, and what of it logs and rows want to know. */
export type WrittenEvent = Readonly<{
  specversion: undefined;
  source: string;
  id: string;
  orgid: string;
  partitionkey: string;
  json: string;
}>;

/** An event of the catalogue. */
export type KnownEvent<Type extends keyof EventData = keyof EventData> = {
  [T in Type]: Event<EventData[T]> & {readonly type: T};
}[Type];

type Making<Type extends keyof EventData> = {
  type: Type;
  /** The function that makes it: `gateway` gives the source `/functions/gateway`. */
  from: string;
  id: string;
  orgid?: string;
  projectid?: string;
  time: Date;
  traceparent?: string;
  subject?: string;
  data: EventData[Type];
};

/** Makes an event of the catalogue with all that our rules want of one. */
export const makeEvent = <Type extends keyof EventData>({
  type,
  from,
  time,
  data,
  ...attributes
}: Making<Type>): KnownEvent<Type> =>
  ({
    specversion: '1.0',
    source: `/functions/${from}`,
    type,
    time: time.toISOString(),
    datacontenttype: 'application/json',
    ...withoutAbsent(attributes),
    ...(attributes.orgid === undefined ? {} : {partitionkey: attributes.orgid}),
    data,
  }) as unknown as KnownEvent<Type>;

const withoutAbsent = (attributes: object) =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
