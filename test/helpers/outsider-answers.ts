/**
Outsider's answers: what is documented to be answered to an event that comes without the right to.

In: a function, a Broker or a path of the front door. Out: by event, mode and credential, the statuses that may come back.
*/
import type {Place} from './outsider.ts';
import {typeNamed} from './outsider-events.ts';

export type Credential = 'none' | 'a wrong token' | "another tenant's key" | 'the admin key';
type Answers = Place<Credential>['answers'];

const misshapen = 'with data that fits nothing';
export const always =
  (...statuses: number[]): Answers =>
  () =>
    statuses;

const keyed =
  (answers: Answers): Answers =>
  asked =>
    asked.credential === "another tenant's key" ? answers(asked) : [401];

/** A function that takes one event at a time of one type: it answers for itself, and finds out the rest for itself. */
const takes =
  (name: string, status: number): Answers =>
  ({forged: {type, variant}, carrier}) => {
    if (carrier === 'batch') {
      return [415];
    }
    return [type === typeNamed(name) && variant !== misshapen ? status : 422];
  };

/** What each function's README says of an event that comes without the right to. A new function has to be named here. */
export const functionAnswers: Readonly<Record<string, Answers>> = {
  // Of events it takes the tick of its purge, which says nothing that it believes.
  admin: ({carrier}) => [carrier === 'batch' ? 415 : 422],
  auth: always(401),
  budget: always(401),
  deadletter: always(204),
  'events-ingress': always(404),
  gateway: always(404),
  hello: takes('hello.requested', 200),
  registry: takes('endpoint.suspected', 204),
  usage: always(401),
  world: takes('hello.greeted', 200),
};

export const brokerAnswers: Answers = ({carrier}) => [carrier === 'batch' ? 400 : 202];

/** Paths whose answer does not depend on the event. */
export const otherPaths: Readonly<Record<string, Answers>> = {
  '/': always(200),
  '/events/': always(404),
  '/hello': always(404),
  '/world': always(404),
  '/verify': keyed(() => [200]),
  '/v1/chat/completions': keyed(() => [400]),
  '/v1/completions': keyed(() => [400]),
  '/v1/embeddings': keyed(() => [400]),
  '/v1/models': always(405),
  '/reconcile': always(404),
  '/functions/budget/': always(404),
  '/sluice/default': always(404),
  '/sluice/tenants': always(404),
};

/** One type is open to tenants, and its data is checked. */
export const eventsAnswers = keyed(({forged: {type, variant}}) => {
  if (type !== typeNamed('hello.requested')) {
    return [403];
  }
  return [variant === misshapen ? 422 : 202];
});
