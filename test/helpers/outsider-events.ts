/**
Outsider's events: what somebody can forge who knows every type of event, every id of a victim, and no secret.

In: the victim's ids. Out: for each example of `schemas/events/`, the event as a stranger would send it and as its own function
would: about requests that are settled, open or new and of another cost, from other senders, with wrong data, and with the marks
of a redrive and of a failed delivery.
*/
import {randomUUID} from 'node:crypto';
import {fileURLToPath} from 'node:url';
import type {Event} from '../../events/event.ts';
import {isUuid} from '../../events/uuid.ts';
import {type EventSchema, readEventSchemas} from '../../schemas/render/event-schemas.ts';

const folder = fileURLToPath(new URL('../../schemas/events', import.meta.url));

/** A request is by what became of it: charged, announced only, or never heard of. */
export type Requests = Readonly<{settled: string; open: string; fresh: string}>;

/** By the name of a member of data. Where an example has a UUID a UUID is put, and only there. */
export type Ids = Readonly<Record<string, readonly unknown[]>>;

export type Victim = Readonly<{org: string; project: string; requests: Requests; ids: Ids}>;

export type Forged = Readonly<{type: string; variant: string; event: Event}>;

/** What a forged request would cost, in nano-USD. */
export const forgedNanos = 999_999;

export const typeNamed = (name: string) => `dev.sluice.${name}.v1`;

const replaceIds = (value: unknown, ids: Ids): unknown => {
  if (Array.isArray(value)) {
    return value.map(item => replaceIds(item, ids));
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      (Object.hasOwn(ids, name) ? ids[name] : undefined)?.find(
        id => typeof id === typeof member && isUuid(id) === isUuid(member),
      ) ?? replaceIds(member, ids),
    ]),
  );
};

/** The debit takes no other: an id follows from what the event is about. */
const idOf = (type: string, data: Record<string, unknown>): string => {
  const verb = type.split('.').at(-2);
  if (type.startsWith('dev.sluice.inference.')) {
    return `${data.request}/${verb}`;
  }
  return type === typeNamed('lease.fenced') ? `${data.lease}/${verb}` : randomUUID();
};

const instantsFrom = (now: number): Ids => {
  const at = (ms: number) => [new Date(now + ms).toISOString()];
  return {startedAt: at(0), finishedAt: at(1_000), settledAt: at(1_000), deadline: at(3_600_000)};
};

const forgeOne = (schema: EventSchema, example: unknown, {org, project, requests, ids}: Victim) => {
  const type = schema['x-type'];
  const base = {specversion: '1.0', type, datacontenttype: 'application/json'} as const;
  const time = new Date().toISOString();
  const about = (request: string): Event => {
    const data = replaceIds(example, {
      ...ids,
      ...instantsFrom(Date.now()),
      request: [request],
      costNanos: [forgedNanos],
      amount: [forgedNanos],
      dueBefore: ['2100-01-01T00:00:00.000Z'],
    }) as Record<string, unknown>;
    return {
      ...base,
      id: idOf(type, data),
      source: `/functions/${schema['x-producer'].split(/[^a-z-]/, 1)[0]}`,
      time,
      orgid: org,
      projectid: project,
      partitionkey: org,
      data,
    };
  };
  const stranger: Event = {...base, id: randomUUID(), source: '/outsider', time, data: example};
  const open = about(requests.open);
  const namesRequest = Object.hasOwn(example as object, 'request');
  return {
    'from a stranger': stranger,
    'about an open request': open,
    ...(namesRequest
      ? {
          'about a settled request': about(requests.settled),
          'about a new request': about(requests.fresh),
        }
      : {}),
    "from the victim's shop": {...open, id: randomUUID(), source: `/orgs/${org}/shop`},
    'with data that fits nothing': {...open, id: randomUUID(), data: ['nothing']},
    redriven: {...open, source: '/functions/deadletter', redriven: randomUUID()},
    'come back from a broker': {
      ...open,
      knativeerrordest: 'http://budget.sluice.svc.cluster.local/',
      knativeerrorcode: 503,
      knativeerrordata: Buffer.from('busy').toString('base64'),
      knativebrokerttl: 2,
      knativearrivaltime: time,
    },
  } satisfies Record<string, Event>;
};

export const forge = (victim: Victim): Forged[] =>
  readEventSchemas(folder).flatMap(schema =>
    schema.examples.flatMap(example =>
      Object.entries(forgeOne(schema, example, victim)).map(([variant, event]) => ({
        type: schema['x-type'],
        variant,
        event,
      })),
    ),
  );
