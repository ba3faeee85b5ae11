/**
Desk: one model's requests: who has a place, who waits for one, and who is told that there is none.

In: requests, ends of uses, a look now and then. Out: places. A place that comes free is given at once to the one whose turn it is; nobody
who comes later goes before him. Everything here is at once and in memory: only who waits has a promise.
*/
import type {Limits} from '../../../events/limits.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import {allows, isOpen} from './circuit.ts';
import {
  anyRoom,
  closeDown,
  follow,
  isCold,
  type Lane,
  newLane,
  pick,
  placesOf,
  reopensInMs,
  type Spot,
  stateOfLane,
} from './lane.ts';
import type {After} from './load-watch.ts';
import {type Outcome, type Place, type Unplaced, unplaced, type Waiting} from './place.ts';
import {beginStart, type ProbeStart, type Start} from './starting.ts';
import {beginUse, worked} from './use.ts';
import {createServiceTimes} from './wait.ts';
import {createWaitingList, type Wish} from './waiting.ts';

export type DeskParts = Readonly<{
  limits: Pick<Limits, 'queueMax' | 'queueMs'>;
  nowMs: () => number;
  after: After;
  random: () => number;
  gateways: () => number;
  probe: ProbeStart;
  onQueued: () => void;
  onWaited: (model: string, seconds: number) => void;
}>;

export type ModelState = 'cold' | 'loading' | 'ready' | 'degraded' | 'saturated';

export const createDesk = (first: ModelEntry, parts: DeskParts) => {
  const {nowMs, random, gateways} = parts;
  const lane: Lane = newLane(first, nowMs());
  const times = createServiceTimes();
  const waiting = createWaitingList({
    limits: parts.limits,
    times,
    nowMs,
    onWaited: seconds => parts.onWaited(lane.model.name, seconds),
  });
  let start: Start | undefined;
  let inFlight = 0;

  const pickFor = (tried: readonly string[], now: number) =>
    pick(lane, {tried, nowMs: now, gateways: gateways(), random});
  const noEndpoint = (now: number) => unplaced('no_endpoint', reopensInMs(lane, now));
  const begin = (spot: Spot, now: number): Place => {
    inFlight += 1;
    return beginUse(spot, now, uses);
  };
  const uses = {
    nowMs,
    onAnswer(spot: Spot) {
      if (start) {
        up(spot, start);
      }
    },
    onEnd(outcome: Outcome, tookMs: number, now: number) {
      inFlight -= 1;
      if (outcome !== 'failed') {
        times.add(tookMs);
      }
      if (lane.gone.length > 0) {
        lane.gone = lane.gone.filter(other => other.inFlight > 0);
      }
      serve(now);
      if (outcome === 'failed') {
        dismissHopeless(now);
      }
    },
  };

  /** Gives what has room to those whose turn it is. */
  const serve = (now: number) => {
    if (waiting.size() === 0) {
      return;
    }
    if (!start && isCold(lane, [], now)) {
      startUp(now);
    }
    // What has no room for one who may go anywhere has none for the next such either: a long queue is not asked one by one.
    let isFull = false;
    const placeFor = (tried: readonly string[]) => {
      if (isFull && tried.length === 0) {
        return undefined;
      }
      const spot = pickFor(tried, now);
      isFull ||= tried.length === 0 && spot === 'full';
      return typeof spot === 'object' ? () => begin(spot, now) : undefined;
    };
    while (!start && anyRoom(lane, gateways(), now) && waiting.serveNext(placeFor, now)) {
      // One after the other: each takes room.
    }
  };
  /** Those for whom nothing is left to wait for: endpoints went, or their circuits opened. */
  const dismissHopeless = (now: number) => {
    if (!start && waiting.size() > 0) {
      waiting.dismiss(tried => pickFor(tried, now) === 'none', noEndpoint(now), now);
    }
  };

  const startUp = (now: number) => {
    closeDown(lane, now);
    const begun = beginStart({
      endpoints: () => lane.spots,
      probe: parts.probe,
      nowMs,
      after: parts.after,
      startMs: (lane.model.startSeconds ?? 0) * 1_000,
      onUp: spot => up(spot, begun),
      onOver() {
        start = undefined;
        waiting.dismiss(() => true, unplaced('not_started', 10_000), nowMs());
      },
    });
    start = begun;
    waiting.waitForStart();
  };
  const up = (spot: Spot, {untilMs, giveUp}: Start) => {
    giveUp();
    start = undefined;
    const now = nowMs();
    worked(spot, now);
    waiting.waitForPlace(now, untilMs);
    serve(now);
  };
  const giveUpIfNobodyWaits = () => {
    if (start && waiting.size() === 0) {
      start.giveUp();
      start = undefined;
    }
  };

  const wait = (wish: Wish, now: number): Unplaced | Waiting => {
    const at = {
      now,
      places: placesOf(lane, wish.tried, gateways()),
      isStarting: start !== undefined,
    };
    const refusal = waiting.refusal(wish, at);
    if (refusal) {
      giveUpIfNobodyWaits();
      return refusal;
    }
    const {placed, leave} = waiting.add(wish, at);
    parts.onQueued();
    return {
      placed,
      get isStarting() {
        return start !== undefined;
      },
      leave() {
        leave();
        giveUpIfNobodyWaits();
      },
    };
  };

  return {
    lane,
    follow(model: ModelEntry) {
      if (model === lane.model) {
        return;
      }
      follow(lane, model);
      if (start && lane.spots.length === 0) {
        // It was taken away: nothing is there to start.
        start.giveUp();
        start = undefined;
        dismissHopeless(nowMs());
      }
    },
    acquire(wish: Wish, now: number): Place | Unplaced | Waiting {
      lane.usedMs = now;
      serve(now);
      if (!start && isCold(lane, wish.tried, now)) {
        startUp(now);
      }
      if (start) {
        return wait(wish, now);
      }
      const found = pickFor(wish.tried, now);
      if (found === 'none') {
        return noEndpoint(now);
      }
      return found === 'full' ? wait(wish, now) : begin(found, now);
    },
    /** As far as can be told before its deadline is known. */
    refusal(organisation: string): Unplaced | undefined {
      if (!start && waiting.size() === 0 && lane.spots.some(({circuit}) => !isOpen(circuit))) {
        return undefined;
      }
      const now = nowMs();
      const isStarting = start !== undefined || isCold(lane, [], now);
      if (!isStarting && !lane.spots.some(({circuit}) => allows(circuit, now))) {
        return noEndpoint(now);
      }
      if (waiting.size() === 0 || (!isStarting && anyRoom(lane, gateways(), now))) {
        return undefined;
      }
      const places = placesOf(lane, [], gateways());
      const untilMs = Number.POSITIVE_INFINITY;
      return waiting.refusal({organisation, untilMs}, {now, places, isStarting});
    },
    /** Now and then while somebody waits: who is due, and what came free without a word. */
    look(now: number) {
      waiting.dismissDue(now, placesOf(lane, [], gateways()));
      giveUpIfNobodyWaits();
      serve(now);
      dismissHopeless(now);
    },
    state(now: number): ModelState {
      if (start) {
        return 'loading';
      }
      return waiting.size() > 0 ? 'saturated' : stateOfLane(lane, now);
    },
    inFlight: () => inFlight,
    queued: () => waiting.size(),
    isIdle: () => inFlight === 0 && waiting.size() === 0 && !start,
    close() {
      start?.giveUp();
      start = undefined;
      waiting.dismiss(() => true, unplaced('no_endpoint', 0), nowMs());
    },
  };
};

export type Desk = ReturnType<typeof createDesk>;
