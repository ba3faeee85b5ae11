/**
Router: where a request of a model goes, now or after a wait; the desks of all models together, and what is done beside requests.

In: the model as the catalogue has it, the organisation, what was tried. Out: a place at an endpoint, a wait for one, or why there is none.
A request that finds room costs some look-ups: no promise, no timer. Beside requests it looks ten times a second after those who wait,
while somebody does, and asks model servers for their load: load-watch.ts.
*/
import {limits as defaults, type Limits} from '../../../events/limits.ts';
import type {ModelEntry} from '../../registry/catalogue.ts';
import {createAsk} from './ask.ts';
import {isOpen} from './circuit.ts';
import {createDesk, type Desk, type ModelState} from './desk.ts';
import {newLane, stateOfLane} from './lane.ts';
import {type After, createLoadWatch} from './load-watch.ts';
import {type Place, type Unplaced, unplaced, type Waiting} from './place.ts';
import {type ProbeStart, probeBy} from './starting.ts';
import type {Wish} from './waiting.ts';

export type {ModelState} from './desk.ts';
export type {Outcome, Place, Unplaced, Waiting} from './place.ts';

/**
`tried`: ids of endpoints that failed this request; not chosen again, unless the model was started anew meanwhile. `untilMs`: monotonic.
*/
export type Asked = Wish & Readonly<{model: ModelEntry}>;

export type Router = Readonly<{
  /** Cheap, before limits and holds are taken: why this model cannot take a request of this organisation now. */
  refusal(asked: Pick<Asked, 'model' | 'organisation'>): Unplaced | undefined;
  /** At once where an endpoint is free. */
  acquire(asked: Asked): Place | Unplaced | Waiting;
  stateOf(model: ModelEntry): ModelState;
  inFlight(): number;
  queued(): number;
  /** For operators: of each model that was used lately, by its name. */
  models(): readonly Readonly<{name: string; queued: number; circuitsOpen: number}>[];
  /** Nobody waits any more. Places that were given are ended by those who have them. */
  close(): void;
}>;

/** A model that nobody asked for in so long is forgotten. */
const forgetMs = 600_000;

const afterTimer: After = (ms, run) => {
  const timer = setTimeout(run, ms);
  timer.unref();
  return () => clearTimeout(timer);
};

export const createRouter = ({
  limits = defaults,
  gateways = () => 1,
  current = model => model,
  nowMs = () => performance.now(),
  random = Math.random,
  after = afterTimer,
  asker = createAsk(),
  probe = probeBy(asker.ask),
  lookMs = 100,
  onWaited = () => {},
}: {
  limits?: Pick<Limits, 'queueMax' | 'queueMs'>;
  /** How many are alive: an endpoint's bound is divided among them. */
  gateways?: () => number;
  /** The newest that the catalogue has of a model: a request may bring one that was replaced while it waited elsewhere. */
  current?: (model: ModelEntry) => ModelEntry;
  nowMs?: () => number;
  random?: () => number;
  after?: After;
  asker?: ReturnType<typeof createAsk>;
  probe?: ProbeStart;
  lookMs?: number;
  onWaited?: (model: string, seconds: number) => void;
} = {}): Router => {
  const desks = new Map<string, Desk>();
  let cancelLook: (() => void) | undefined;
  let isClosed = false;

  /** One that was made anew under its name is another model: this one has nothing left. */
  const newestOf = (model: ModelEntry): ModelEntry => {
    const found = current(model);
    return found.id === model.id ? found : {...model, endpoints: []};
  };
  const look = () => {
    cancelLook = undefined;
    const now = nowMs();
    for (const desk of desks.values()) {
      if (desk.queued() > 0) {
        desk.follow(newestOf(desk.lane.model));
        desk.look(now);
        if (desk.queued() > 0) {
          lookSoon();
        }
      }
    }
  };
  const lookSoon = () => {
    cancelLook ??= after(lookMs, look);
  };
  const watch = createLoadWatch({
    watched: sinceMs =>
      [...desks.values()]
        .filter(({lane}) => lane.spots.length > 1 && lane.usedMs >= sinceMs)
        .flatMap(({lane}) => lane.spots),
    ask: asker.ask,
    nowMs,
    after,
  });
  const parts = {limits, nowMs, after, random, gateways, probe, onQueued: lookSoon, onWaited};

  const forget = (now: number) => {
    for (const [id, desk] of desks) {
      if (desk.isIdle() && now - desk.lane.usedMs > forgetMs) {
        desks.delete(id);
      }
    }
  };
  const deskOf = (model: ModelEntry): Desk => {
    let desk = desks.get(model.id);
    if (!desk) {
      forget(nowMs());
      desk = createDesk(model, parts);
      desks.set(model.id, desk);
    }
    desk.follow(model);
    return desk;
  };
  const sum = (count: (desk: Desk) => number) =>
    [...desks.values()].reduce((all, desk) => all + count(desk), 0);

  return {
    refusal({model, organisation}) {
      const newest = newestOf(model);
      // Who asks needs an endpoint of the model as it was read, to name one while it waits.
      return newest.endpoints.length === 0 || model.endpoints.length === 0
        ? unplaced('no_endpoint', 5_000)
        : desks.has(newest.id)
          ? deskOf(newest).refusal(organisation)
          : undefined;
    },
    acquire(asked) {
      if (isClosed) {
        return unplaced('no_endpoint', 5_000);
      }
      const desk = deskOf(newestOf(asked.model));
      if (desk.lane.spots.length > 1) {
        watch.used();
      }
      return desk.acquire(asked, nowMs());
    },
    stateOf(model) {
      const now = nowMs();
      return desks.has(model.id) ? deskOf(model).state(now) : stateOfLane(newLane(model, now), now);
    },
    inFlight: () => sum(desk => desk.inFlight()),
    queued: () => sum(desk => desk.queued()),
    models() {
      forget(nowMs());
      return [...desks.values()].map(desk => ({
        name: desk.lane.model.name,
        queued: desk.queued(),
        circuitsOpen: desk.lane.spots.filter(({circuit}) => isOpen(circuit)).length,
      }));
    },
    close() {
      isClosed = true;
      cancelLook?.();
      watch.close();
      asker.close();
      for (const desk of desks.values()) {
        desk.close();
      }
    },
  };
};
