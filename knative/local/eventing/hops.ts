/**
Hops: ends the travels of an event that its own replies keep alive.

Knative's `knativebrokerttl`: each pass through a broker lowers it by one, a reply carries it on, and an event that it would bring to 0
is taken no more. A subscriber never sees it.
*/
import type {Event} from '../../../events/event.ts';

const most = 255;

/** Undefined when the event has travelled enough. */
export const passBroker = (event: Event): Event | undefined => {
  const given = Number(event.knativebrokerttl ?? most);
  const left = (Number.isSafeInteger(given) && given <= most ? given : most) - 1;
  return left <= 0 ? undefined : {...event, knativebrokerttl: left};
};

export const withoutHops = ({knativebrokerttl: _, ...event}: Event): Event => event as Event;

/** The reply to an event, with the hops and the trace of what it answers. */
export const inheritFrom = (cause: Event, reply: Event): Event => ({
  ...reply,
  ...(cause.traceparent !== undefined && reply.traceparent === undefined
    ? {traceparent: cause.traceparent}
    : {}),
  knativebrokerttl: cause.knativebrokerttl ?? most,
});
