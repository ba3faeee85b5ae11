/**
Receive: one `POST /events`, from the key to the commit.

In: a request, a note for its log line. Out: nothing, once every event of it is stored; a SluiceError otherwise, and then none
is. Cheap refusals come first, and nothing is read of somebody who may not send.
*/
import type {IncomingMessage} from 'node:http';
import {SluiceError} from '../../events/errors.ts';
import type {Limits} from '../../events/limits.ts';
import type {StampOf} from '../../events/org-stamp.ts';
import type {OutboxRow} from '../../events/outbox.ts';
import {bearerOf} from '../auth/bearer.ts';
import {requireScope, toError} from '../auth/denial.ts';
import type {Principal} from '../auth/principal.ts';
import type {Principals} from '../auth/principals.ts';
import {admit} from './admit.ts';
import {readBody} from './body.ts';
import type {OpenTypes} from './open-types.ts';
import type {Rates} from './rates.ts';
import {atIndex, checkMode, readEvents} from './read-events.ts';
import type {Backlog, Store} from './store.ts';

/** What is learned of a request on its way, for its log line, its metrics and its headers. */
export type Note = {
  org?: string;
  project?: string;
  keyId?: string;
  bytes?: number;
  events?: number;
  /** How many were stored, by destination. */
  stored?: Record<string, number>;
  headers?: Readonly<Record<string, string>>;
};

export type ReceiveParts = Readonly<{
  principals: Pick<Principals, 'verify'>;
  /** How old the knowledge of revocations is. */
  staleSinceMs: () => number;
  backlog: () => Promise<Backlog>;
  rates: Rates;
  openTypes: OpenTypes;
  /** Absent where no key of stamps is set. */
  stampOf?: StampOf | undefined;
  store: Pick<Store, 'append'>;
  limits: Pick<Limits, 'staleMaxMs' | 'outboxRows' | 'outboxAgeMs'>;
  /** Of one request. */
  eventsMax: number;
  bytesMax: number;
}>;

export type Receive = (request: IncomingMessage, note: Note) => Promise<void>;

export const createReceive = (parts: ReceiveParts): Receive =>
  async function receive(request, note) {
    const principal = await authenticate(parts, request);
    note.org = principal.org;
    note.project = principal.project;
    note.keyId = principal.key;
    requireScope(principal, 'events');
    checkMode(request.headers);
    await refuseWhenFull(parts);
    const body = await readBody(request, parts.bytesMax);
    note.bytes = body.length;
    // Half a minute may have gone by, and the key with it.
    requireScope(await authenticate(parts, request), 'events');
    // One event is counted before the body is parsed, so that what cannot be parsed is not free.
    await takeRate(parts, note, {events: 1, bytes: body.length});
    const {events, batch} = readEvents(request.headers, body);
    note.events = events.length;
    if (events.length > parts.eventsMax) {
      throw new SluiceError('payload_too_large', `a batch has at most ${parts.eventsMax} events`);
    }
    if (events.length > 1) {
      await takeRate(parts, note, {events: events.length - 1, bytes: 0});
    }
    const traceparent = request.headers.traceparent as string | undefined;
    const {org, project} = principal;
    const options = {
      org,
      project,
      traceparent,
      openTypes: parts.openTypes,
      orgStamp: parts.stampOf?.(org),
    };
    const rows: OutboxRow[] = events.map((event, index) => {
      const admission = admit(event, options);
      if ('refused' in admission) {
        const {code, reason, path} = admission.refused;
        throw atIndex(batch ? index : undefined, code, reason, path);
      }
      return admission.row;
    });
    await parts.store.append(org, rows);
    note.stored = {};
    for (const {destination} of rows) {
      note.stored[destination] = (note.stored[destination] ?? 0) + 1;
    }
  };

const authenticate = async (
  {principals, staleSinceMs, limits}: ReceiveParts,
  {headers}: IncomingMessage,
): Promise<Principal> => {
  if (staleSinceMs() > limits.staleMaxMs) {
    throw new SluiceError('unavailable', 'revocations cannot be read', {retryAfterSeconds: 1});
  }
  const verdict = await principals.verify(bearerOf(headers.authorization));
  if ('denied' in verdict) {
    throw toError(verdict.denied);
  }
  return verdict.principal;
};

const refuseWhenFull = async ({backlog, limits}: ReceiveParts) => {
  const {rows, ageMs} = await backlog();
  if (rows > limits.outboxRows || ageMs > limits.outboxAgeMs) {
    throw new SluiceError('unavailable', 'too many events wait to be delivered', {
      retryAfterSeconds: 5,
    });
  }
};

const takeRate = async (
  {rates}: ReceiveParts,
  note: Note,
  amounts: {events: number; bytes: number},
) => {
  const taken = await rates.take(note.org as string, amounts);
  note.headers = taken.headers;
  if (taken.exceeded) {
    throw new SluiceError(
      'too_many_requests',
      `the organisation sends more ${taken.exceeded} a second than it may`,
      {retryAfterSeconds: taken.retryAfterSeconds},
    );
  }
};
