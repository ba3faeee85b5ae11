/**
Admit: whether an event from outside is taken, where it goes and how it is stored.

In: an event, its sender, the types that are open. Out: a row of the outbox, or the refusal with the place of the fault.
Types of ours go to the Broker that our functions listen to and are checked; anybody else's go to the Broker of the tenants.
*/
import {toJson} from '../../events/codec.ts';
import type {ErrorCode} from '../../events/errors.ts';
import type {Event} from '../../events/event.ts';
import type {OutboxRow} from '../../events/outbox.ts';
import {faultOfData} from './keepable.ts';
import type {OpenTypes} from './open-types.ts';
import {type StampOptions, stamp} from './stamp.ts';

/** `path`: a JSON pointer into the event. */
export type Refusal = Readonly<{code: ErrorCode; path: string; reason: string}>;
export type Admission = Readonly<{row: OutboxRow} | {refused: Refusal}>;
/** `orgStamp`: for events of the tenants' Broker alone; on ours nothing asks for it. */
export type AdmitOptions = StampOptions & Readonly<{openTypes: OpenTypes; eventBytes?: number}>;

/** Stored, as JSON. */
const eventBytesMax = 256 * 1024;
/** Together they are the key of a row, and PostgreSQL's index takes 2,704 bytes. */
const keyBytesMax = 1_024;
/** Percent-coded they are headers of every delivery, and a function takes 16 KiB of those. */
const attributesBytesMax = 4_096;

const isOurs = (type: string) => type === 'dev.sluice' || type.startsWith('dev.sluice.');

const refuse = (code: ErrorCode, path: string, reason: string): Admission => ({
  refused: {code, path, reason},
});

const sizeOf = (value: unknown) => Buffer.byteLength(String(value));

const faultOfAttributes = ({data: _data, ...attributes}: Event): Refusal | undefined => {
  const long = (['id', 'source'] as const).find(name => sizeOf(attributes[name]) > keyBytesMax);
  if (long) {
    const reason = `${long} has at most ${keyBytesMax} bytes${long === 'source' ? ", the organisation's path included" : ''}`;
    return {code: 'unprocessable_event', path: `/${long}`, reason};
  }
  const size = Object.entries(attributes).reduce(
    (sum, [name, value]) => sum + name.length + sizeOf(value),
    0,
  );
  const reason = `the attributes have at most ${attributesBytesMax} bytes together`;
  return size > attributesBytesMax ? {code: 'unprocessable_event', path: '', reason} : undefined;
};

/**
The codec keeps the text that data was read from, and in a text a name may come twice: what was checked is the last of them.
So what is checked by a schema, or has an escape that PostgreSQL may fall over, is stored as it was understood.
*/
const asUnderstood = (event: Event): Event =>
  event.data === undefined || event.data instanceof Uint8Array
    ? event
    : {...event, data: JSON.parse(JSON.stringify(event.data))};

const riskyEscape = /\\u(?:0000|[dD][89a-fA-F])/;

export const admit = (event: Event, options: AdmitOptions): Admission => {
  const {openTypes, eventBytes = eventBytesMax} = options;
  const checkData = openTypes.get(event.type);
  if (isOurs(event.type) && !checkData) {
    return refuse(
      'forbidden',
      '/type',
      'types that begin with dev.sluice. are not open to outsiders',
    );
  }
  const unkeepable = faultOfData(event.data);
  if (unkeepable !== undefined) {
    return refuse('unprocessable_event', '/data', unkeepable);
  }
  const fault = checkData?.(event.data);
  if (fault) {
    return refuse('unprocessable_event', `/data${fault.path}`, fault.reason);
  }
  const stamped = stamp(event, checkData ? {...options, orgStamp: undefined} : options);
  const refused = faultOfAttributes(stamped);
  if (refused) {
    return {refused};
  }
  const text = toJson(stamped);
  if (Buffer.byteLength(text) > eventBytes) {
    return refuse('payload_too_large', '', `an event has at most ${eventBytes} bytes`);
  }
  return {
    row: {
      destination: checkData ? 'broker:default' : 'broker:tenants',
      event: checkData || riskyEscape.test(text) ? asUnderstood(stamped) : stamped,
    },
  };
};
