/**
Redrive: what an event looks like when it is published again, and whether it may be.

In: a letter. Out: the event as it was before it failed, with the letter's id in the attribute `redriven`; or why not.
An event that anybody can have made up goes back to a Broker, where anybody can publish, and never to a log or stream, whose
readers believe what they read.
*/
import {readJson, toJson} from '../../events/codec.ts';
import type {Event} from '../../events/event.ts';

export type Redrivable = Readonly<{
  id: string;
  event: string | null;
  origin: string | null;
  proved: boolean;
  redriven_at: Date | null;
  dropped_at: Date | null;
}>;

/** What brokers put on an event that fails, and how far it may still travel. */
const marks = /^(?:knativeerror.*|knativebrokerttl|kne.*)$/;

export const withoutMarks = (event: Event): Event =>
  Object.fromEntries(Object.entries(event).filter(([name]) => !marks.test(name))) as Event;

export const refusalOf = ({
  event,
  origin,
  proved,
  redriven_at,
  dropped_at,
}: Redrivable): string | undefined => {
  if (redriven_at) {
    return `was redriven at ${redriven_at.toISOString()}`;
  }
  if (dropped_at || event === null) {
    return 'was dropped, and its event with it';
  }
  if (origin === null) {
    return 'cannot be redriven: where its event was published is not known, or it is no event';
  }
  return proved || origin.startsWith('broker:')
    ? undefined
    : `cannot be redriven to ${origin}: it came over HTTP, where anybody can post`;
};

/** Undefined when it is no event. The data stays the text that it was. */
export const toRedriven = (json: string, letter: string): string | undefined => {
  try {
    return toJson({...withoutMarks(readJson(json)), redriven: letter});
  } catch {
    return undefined;
  }
};
