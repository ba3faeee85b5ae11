/**
Lane: what this process knows of one model's endpoints, and which of them a request may have.

In: the model as the catalogue has it, what requests said of endpoints, the gateways alive. Out: an endpoint with room, or why none. An endpoint
is known by its id and URL: with another URL it is another server. One that the catalogue dropped is forgotten when its last
request has ended, and its count is there again if it comes back before.
*/
import type {EndpointEntry, ModelEntry} from '../../registry/catalogue.ts';
import {type Candidate, choose} from './choose.ts';
import {allows, type Circuit, closed, isOpen, openNow, reopensMs} from './circuit.ts';
import type {Watched} from './load-watch.ts';

export type Spot = Watched & {
  entry: EndpointEntry;
  inFlight: number;
  circuit: Circuit;
  /** When it last answered, and whether it failed since. */
  answeredMs: number;
  hasFailed: boolean;
};

export type Lane = {
  model: ModelEntry;
  /** In the catalogue's order. */
  spots: Spot[];
  /** Dropped from the catalogue, with requests that still run. */
  gone: Spot[];
  usedMs: number;
};

/** An answer says for so long that an endpoint works, whatever was found before. */
const answerCountsMs = 10_000;
/** A report of an endpoint's load counts for so long. */
const reportCountsMs = 5_000;
const never = Number.NEGATIVE_INFINITY;

export const newLane = (model: ModelEntry, nowMs: number): Lane => ({
  model,
  spots: model.endpoints.map(newSpot),
  gone: [],
  usedMs: nowMs,
});

const newSpot = (entry: EndpointEntry): Spot => ({
  entry,
  url: entry.url,
  inFlight: 0,
  circuit: closed,
  reported: undefined,
  answeredMs: never,
  hasFailed: false,
});

/** The catalogue's newest word. */
export const follow = (lane: Lane, model: ModelEntry) => {
  const known = [...lane.spots, ...lane.gone];
  lane.model = model;
  lane.spots = model.endpoints.map(entry => {
    const spot = known.find(({entry: {id}, url}) => id === entry.id && url === entry.url);
    if (spot) {
      spot.entry = entry;
    }
    return spot ?? newSpot(entry);
  });
  lane.gone = known.filter(spot => spot.inFlight > 0 && !lane.spots.includes(spot));
};

/** This gateway's part of what an endpoint takes from all. */
export const shareOf = ({maxConcurrency}: EndpointEntry, gateways: number) =>
  maxConcurrency === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(Math.floor(maxConcurrency / gateways), 1);

const hasRoom = (spot: Spot, gateways: number) => spot.inFlight < shareOf(spot.entry, gateways);

/** Whether any has room, for somebody. Cheap: asked before a queue is walked. */
export const anyRoom = ({spots}: Lane, gateways: number, nowMs: number) =>
  spots.some(spot => hasRoom(spot, gateways) && allows(spot.circuit, nowMs));

/** By our own requests; who works on some of them may well be silent. */
const works = ({hasFailed, inFlight, answeredMs}: Spot, nowMs: number) =>
  !hasFailed && answeredMs !== never && (inFlight > 0 || nowMs - answeredMs < answerCountsMs);

/** Answers of our own raise an endpoint that a probe found ill, not above one that it found well. */
const rankOf = (spot: Spot, nowMs: number): Candidate['rank'] => {
  const {health} = spot.entry;
  if (health === 'healthy') {
    return 0;
  }
  return health === 'unknown' || works(spot, nowMs) ? 1 : 2;
};

/** For one who was there (`tried`) a failure counts until somebody got an answer after it. */
const isAway = (spot: Spot, tried: readonly string[], nowMs: number) =>
  isOpen(spot.circuit) ||
  rankOf(spot, nowMs) === 2 ||
  (spot.hasFailed && tried.includes(spot.entry.id));

/** A model that scales to zero, and none of its endpoints can be reached. */
export const isCold = ({model, spots}: Lane, tried: readonly string[], nowMs: number) =>
  model.startSeconds !== undefined &&
  spots.length > 0 &&
  spots.every(spot => isAway(spot, tried, nowMs));

/** Nothing is behind any of them, until one answers. */
export const closeDown = (lane: Lane, nowMs: number) => {
  for (const spot of lane.spots) {
    spot.circuit = isOpen(spot.circuit) ? spot.circuit : openNow(nowMs);
  }
};

export const pick = (
  {spots}: Lane,
  {
    tried,
    nowMs,
    gateways,
    random,
  }: Readonly<{tried: readonly string[]; nowMs: number; gateways: number; random: () => number}>,
): Spot | 'none' | 'full' => {
  const only = spots[0];
  if (only && spots.length === 1) {
    if (!allows(only.circuit, nowMs) || tried.includes(only.entry.id)) {
      return 'none';
    }
    return hasRoom(only, gateways) ? only : 'full';
  }
  // A report is compared with a report: one who tells nothing would look idle.
  const areReported = spots.every(
    ({reported}) => reported && nowMs - reported.atMs < reportCountsMs,
  );
  const chosen = choose(
    spots.map(spot =>
      allows(spot.circuit, nowMs) && !tried.includes(spot.entry.id)
        ? {
            rank: rankOf(spot, nowMs),
            load: spot.inFlight + (areReported ? (spot.reported?.others ?? 0) : 0),
            hasRoom: hasRoom(spot, gateways),
          }
        : undefined,
    ),
    random,
  );
  return typeof chosen === 'number' ? (spots[chosen] as Spot) : chosen;
};

/** Places that one who has tried these may come to. */
export const placesOf = ({spots}: Lane, tried: readonly string[], gateways: number) =>
  spots
    .filter(({circuit, entry}) => !isOpen(circuit) && !tried.includes(entry.id))
    .reduce((sum, {entry}) => sum + shareOf(entry, gateways), 0);

/** Until a trial may begin somewhere; what is there in vain for other reasons, may be mended in some seconds. */
export const reopensInMs = ({spots}: Lane, nowMs: number) =>
  spots.some(({circuit}) => isOpen(circuit))
    ? Math.min(
        ...spots
          .filter(({circuit}) => isOpen(circuit))
          .map(({circuit}) => Math.max(reopensMs(circuit) - nowMs, 0)),
      )
    : 5_000;

/** The registry found nothing running, and nobody has asked since: the first request will find out. */
const isAsleep = ({model, spots}: Lane, nowMs: number) =>
  model.startSeconds !== undefined &&
  spots.length > 0 &&
  spots.every(spot => spot.entry.health === 'unknown' && !works(spot, nowMs));

/** What can be said of a model by its endpoints alone. */
export const stateOfLane = (lane: Lane, nowMs: number): 'cold' | 'degraded' | 'ready' => {
  if (isCold(lane, [], nowMs) || isAsleep(lane, nowMs)) {
    return 'cold';
  }
  const isWell = lane.spots.length > 0 && !lane.spots.some(spot => isAway(spot, [], nowMs));
  return isWell ? 'ready' : 'degraded';
};
