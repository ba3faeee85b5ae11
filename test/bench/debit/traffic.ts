/**
Traffic: the money path's events as gateways send them: of each request an intent, and, when as many others are in flight, its result.

In: how many organisations, which share the first one has, how many requests are in flight. Out: events, one after the other, in the
order of the log. Every request touches three budgets (organisation, project, key) on leases of four gateways. Ids of tenants
follow from their numbers, so that processes need not tell each other.
*/
import {type Event, makeEvent} from '../../../events/event.ts';
import {uuidv7} from '../../../events/uuid.ts';

export const organisations = 32;
export const gateways = 4;
export const priceVersion = 1;
export const holdNanos = 1_850_000;
export const costNanos = 47_450;

export type Skew = Readonly<{
  /** Of the first organisation's requests; the others share the rest. */
  hotShare: number;
  inFlight: number;
}>;

const kinds = ['org', 'project', 'key', 'budget', 'window', 'lease', 'gateway', 'model'] as const;

export const idOf = (kind: (typeof kinds)[number], number: number) =>
  `0192f0c1-7a00-7000-8${kinds.indexOf(kind).toString(16).padStart(3, '0')}-${number.toString(16).padStart(12, '0')}`;

/** An organisation's three budgets are numbered from here. */
export const budgetsOf = (org: number) => [org * 3, org * 3 + 1, org * 3 + 2];
export const leaseOf = (budget: number, gateway: number) => budget * gateways + gateway;

const perTurn = 1_000;

/** The organisation of the n-th request: the same share in every thousand. */
const orgAt = (n: number, hotShare: number) => {
  // A step that is prime to a thousand: hot and cold requests take turns.
  const place = (n * 617) % perTurn;
  const others = organisations - 1;
  return place < hotShare * perTurn ? 0 : 1 + ((Math.floor(n / perTurn) + place) % others);
};

const outcomeOf = {
  outcome: 'completed',
  status: 200,
  inputTokens: 103,
  cachedInputTokens: 0,
  outputTokens: 57,
  costNanos,
  estimated: false,
  latencyMs: 2_345,
  timeToFirstTokenMs: 180,
} as const;

const budgetsAt = (org: number, gateway: number) =>
  budgetsOf(org).map(budget => ({
    budget: idOf('budget', budget),
    window: idOf('window', budget),
    lease: idOf('lease', leaseOf(budget, gateway)),
    unit: 'usd' as const,
    hold: holdNanos,
  }));

type Request = ReturnType<typeof makeRequest>;

const makeRequest = (n: number, hotShare: number, now: number) => {
  const org = orgAt(n, hotShare);
  const request = uuidv7(now);
  const orgid = idOf('org', org);
  return {
    attributes: {
      from: 'gateway',
      orgid,
      projectid: idOf('project', org),
      traceparent: `00-${request.replaceAll('-', '')}-${request.slice(-12)}0000-00`,
    },
    startedMs: now,
    about: {
      request,
      orgid,
      project: idOf('project', org),
      key: idOf('key', org),
      model: 'llama-3.1-8b',
      modelId: idOf('model', 0),
      environment: 'production' as const,
      endpoint: 'http://llama.models.svc.cluster.local',
      operation: 'chat.completions' as const,
      streamed: true,
      priceVersion,
      startedAt: new Date(now).toISOString(),
    },
    budgets: budgetsAt(org, n % gateways),
  };
};

const startedOf = ({attributes, about, budgets, startedMs}: Request): Event =>
  makeEvent({
    ...attributes,
    type: 'dev.sluice.inference.started.v1',
    id: `${about.request}/started`,
    time: new Date(startedMs),
    data: {
      ...about,
      deadline: new Date(startedMs + 600_000).toISOString(),
      promptBytes: 412,
      unsettledPolicy: 'prompt',
      budgets,
    },
  });

const finishedOf = ({attributes, about, budgets, startedMs}: Request): Event => {
  const finished = new Date(startedMs + outcomeOf.latencyMs);
  return makeEvent({
    ...attributes,
    type: 'dev.sluice.inference.finished.v1',
    id: `${about.request}/finished`,
    time: finished,
    data: {
      ...about,
      ...outcomeOf,
      finishedAt: finished.toISOString(),
      budgets: budgets.map(budget => ({...budget, amount: costNanos})),
    },
  });
};

/** Two events a request; ends when every request has its result. */
export function* trafficOf(
  requests: number,
  {hotShare, inFlight}: Skew,
  now: () => number = Date.now,
): Generator<Event, void> {
  const running: Request[] = [];
  for (let n = 0; n < requests; n++) {
    const request = makeRequest(n, hotShare, now());
    running.push(request);
    yield startedOf(request);
    if (running.length > inFlight) {
      yield finishedOf(running.shift() as Request);
    }
  }
  for (const request of running) {
    yield finishedOf(request);
  }
}
