/**
Messages: which events the debit can handle, and which it never can.

In: events as they came. Out: messages whose every field can be computed with and stored, and dead letters for the rest.
One that broke a statement would fail its whole batch for ever, so nothing passes here that a row cannot keep.
*/
import {type DeadLetter, refusedBy} from '../../events/dead-letters.ts';
import type {Event} from '../../events/event.ts';
import type {Terms} from '../../events/external-terms.ts';
import {type ExternalUsage, readExternalUsage, recordedType} from '../../events/external-usage.ts';
import {isUuid, monthOf} from '../../events/uuid.ts';
import {dueShape, fencedShape, finishedShape, isText, startedShape} from './shapes.ts';
import type {Intent, Result} from './store.ts';

type About = Readonly<{event: Event; org: string}>;
type Traced = Readonly<{month: string; traceparent?: string}>;
export type Message = About &
  (
    | (Traced & Readonly<{kind: 'intent'; data: Intent; deadlineMs: number}>)
    | (Traced & Readonly<{kind: 'result'; data: Result}>)
    /** Its terms are found after it was read. */
    | (Traced & Readonly<{kind: 'external'; data: ExternalUsage; terms?: Terms}>)
    | Readonly<{kind: 'fence'; lease: string; window: string}>
    | Readonly<{kind: 'due'; beforeMs: number}>
  );

export const readMessages = (
  events: readonly Event[],
  nowMs = Date.now(),
): {messages: Message[]; deadLetters: DeadLetter[]} => {
  const messages: Message[] = [];
  const deadLetters: DeadLetter[] = [];
  for (const event of events) {
    const message = read(event, nowMs);
    if (typeof message === 'string') {
      deadLetters.push(refusedBy('budget', event, message));
    } else if (message) {
      messages.push(message);
    }
  }
  return {messages, deadLetters};
};

/** A message, a complaint, or nothing for what concerns others: the debit reads what it wrote to the log itself, too. */
const read = (event: Event, nowMs: number): Message | string | undefined => {
  const org = event.orgid;
  switch (event.type) {
    case 'dev.sluice.inference.unsettled.v1':
    case 'dev.sluice.inference.corrected.v1':
      return undefined;
    case 'dev.sluice.inference.started.v1':
    case 'dev.sluice.inference.finished.v1':
      return readInference(event);
    case recordedType: {
      const data = readExternalUsage(event, nowMs);
      return typeof data === 'string' ? data : externalOf(event, data);
    }
    case 'dev.sluice.lease.fenced.v1': {
      const data = event.data as {lease: string; window: string};
      const complaint = fencedShape(data) ?? complainOf(event, `${data.lease}/fenced`);
      return (
        complaint ?? {
          kind: 'fence',
          event,
          org: org as string,
          lease: data.lease,
          window: data.window,
        }
      );
    }
    case 'dev.sluice.settlement.due.v1': {
      const data = event.data as {dueBefore: string};
      const complaint = dueShape(data) ?? (isUuid(org) ? undefined : 'orgid is not a UUID');
      return (
        complaint ?? {kind: 'due', event, org: org as string, beforeMs: Date.parse(data.dueBefore)}
      );
    }
    default:
      return 'not a type that the debit knows';
  }
};

const externalOf = (event: Event, {traceparent, ...data}: ExternalUsage): Message => ({
  kind: 'external',
  event,
  org: data.org,
  month: data.month,
  data,
  ...(traceparent === undefined ? {} : {traceparent}),
});

const readInference = (event: Event): Message | string => {
  const started = event.type === 'dev.sluice.inference.started.v1';
  const complaint = (started ? startedShape : finishedShape)(event.data);
  if (complaint !== undefined) {
    return complaint;
  }
  const data = event.data as Intent & Result;
  const month = monthOf(data.request);
  if (month === undefined) {
    return 'request is not a UUIDv7';
  }
  if (data.orgid !== event.orgid) {
    return 'orgid of the event and of its data differ';
  }
  const misnamed = complainOf(event, `${data.request}/${started ? 'started' : 'finished'}`);
  if (misnamed !== undefined) {
    return misnamed;
  }
  const traceparent = isText(event.traceparent, 1, 128) ? event.traceparent : undefined;
  const message = {
    event,
    org: data.orgid,
    data,
    month,
    ...(traceparent === undefined ? {} : {traceparent}),
  };
  return started
    ? {...message, kind: 'intent', deadlineMs: Date.parse(data.deadline)}
    : {...message, kind: 'result'};
};

/** An id that does not follow from the content would let one request be sent under many. */
const complainOf = (event: Event, expectedId: string) => {
  if (!isUuid(event.orgid)) {
    return 'orgid is not a UUID';
  }
  return event.id === expectedId ? undefined : `the id is not ${expectedId}`;
};
