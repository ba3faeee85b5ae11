/**
Stamp: puts the name of the sender on an event, whatever the event says of itself, so that nobody can speak for another.

In: an event from outside, the principal whose key brought it, the request's trace context; where it is for the tenants' Broker, the stamp
of its organisation. Out: the event as it is stored. Source, organisation, project and order key are the principal's; names that the
delivery gives a meaning to are taken out, a stamp that somebody brought among them.
*/
import type {Event} from '../../events/event.ts';
import {stampAttribute} from '../../events/org-stamp.ts';
import {continueTrace, traceIdOf} from '../../events/telemetry.ts';

export type Sender = Readonly<{org: string; project: string}>;

/** Extensions by which brokers count hops and describe dead letters, and our own. */
const reserved = /^(?:knative|kne|sluice)/;

/** `.` and `..` as a path segment, in every spelling that a URL parser takes for one; it cuts off spaces at the end. */
const dotSegment = /(^|[/\\])(?:\.|%2e){1,2}(?=[/\\?#]| *$)/gi;

/** What the producer called itself, as something that can only be below its organisation's path. */
export const cleanSource = (source: string): string =>
  source.replace(/^[/\\]+/, '').replaceAll(dotSegment, '$1-');

/** By rewriting it: what comes back with another trace was none. */
const isTraceparent = (text: unknown): text is string =>
  typeof text === 'string' && traceIdOf(continueTrace(text)) === traceIdOf(text);

const traceOf = ({traceparent, tracestate}: Event, header: string | undefined) =>
  isTraceparent(traceparent)
    ? {traceparent, ...(tracestate === undefined ? {} : {tracestate})}
    : {traceparent: continueTrace(header)};

export type StampOptions = Sender &
  Readonly<{traceparent?: string | undefined; orgStamp?: string | undefined}>;

export const stamp = (event: Event, {org, project, traceparent, orgStamp}: StampOptions): Event => {
  const {tracestate: _tracestate, ...attributes} = event;
  const kept = Object.entries(attributes).filter(([name]) => !reserved.test(name));
  const order = event.partitionkey;
  return {
    ...(Object.fromEntries(kept) as unknown as Event),
    source: `/orgs/${org}/${cleanSource(event.source)}`,
    orgid: org,
    projectid: project,
    partitionkey: order === undefined || order === '' ? org : `${org}/${order}`,
    ...(orgStamp === undefined ? {} : {[stampAttribute]: orgStamp}),
    ...traceOf(event, traceparent),
  };
};
