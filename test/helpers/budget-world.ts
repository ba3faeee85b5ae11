/**
Budget world: several gateways on one store in memory, one log, and the debit that reads it.

The log is read in any order, as the embedded mode may, but for one promise: a marker is read after everything before it. A
process may be killed, stopped with its clocks running (frozen) or standing (suspended), and its wall clock may be set. What can
happen is `budget-steps.ts`, what must hold `budget-checks.ts`.
*/
import type {Event} from '../../events/event.ts';
import {uuidv7} from '../../events/uuid.ts';
import {debit} from '../../functions/budget/debit.ts';
import type {Demand, Taken} from '../../functions/budget/leases/account.ts';
import {createMemoryLeaseWork} from '../../functions/budget/leases/lease-work-memory.ts';
import type {Refusal} from '../../functions/budget/leases/waiters.ts';
import {priceKey} from '../../functions/budget/store.ts';
import {createMemoryStore} from '../../functions/budget/store-memory.ts';
import {key, modelId, org, project} from './budget.ts';
import {createVirtualGateway, times, type VirtualGateway} from './virtual-gateway.ts';
import {cheap, createRequests, nothing} from './virtual-requests.ts';

const graceMs = 60_000;

export type Process = {
  readonly gateway: VirtualGateway;
  isStopped: boolean;
  isSuspended: boolean;
  /** Monotonic ms that a suspension hid; how far its wall clock is off. */
  hiddenMs: number;
  wallOffMs: number;
  /** Budgets that changed, of which it has not heard. */
  readonly changed: Set<string>;
};
export type Seed = Readonly<{
  gateways: number;
  /** Of the organisation and of the key in nano-USD, of the project in tokens. */
  limits: readonly [number, number, number];
  sliceMax: number;
  /** The day ends so many minutes after the beginning. */
  minutesLeft: number;
}>;

const createStore = (limits: Seed['limits'], now: () => number) => {
  const store = createMemoryStore({now});
  const {registry, state, opened} = store;
  state.prices.set(priceKey(modelId, 1), cheap);
  registry.orgs.add(org);
  registry.projects.push({id: project, org});
  registry.keys.push({id: key, org, project});
  registry.models.push({id: modelId, name: 'llama-3.1-8b', environment: 'production'});
  registry.prices.push({
    model: modelId,
    version: 1,
    price: cheap,
    createdAt: '2026-01-01T00:00:00Z',
  });
  const budgets = limits.map((limit, index) => ({
    id: uuidv7(),
    org,
    ...[{}, {key}, {project}][index],
    unit: index === 2 ? ('tokens' as const) : ('usd' as const),
    limit: BigInt(limit),
    thresholds: [50, 100],
    period: index === 1 ? ('none' as const) : ('day' as const),
  }));
  opened.budgets.push(...budgets);
  return {store, budgets};
};

export const createWorld = ({gateways, limits, sliceMax, minutesLeft}: Seed) => {
  let clock = Date.parse('2026-11-22T00:00:00Z') - minutesLeft * 60_000;
  const now = () => clock;
  const {store, budgets} = createStore(limits, now);
  const leaseWork = createMemoryLeaseWork({store, now, ttlMs: times.ttlMs});
  const handle = debit({store, now});

  const log: {event: Event; marker: boolean; read: boolean}[] = [];
  const append = (event: Event, marker = false) => log.push({event, marker, read: false});
  /** Sent by processes that are gone or have given up: they reach the log late or never. */
  const strays: Event[] = [];
  const {begin, ...requests} = createRequests<Process>({
    windows: store.state.windows,
    append,
    now,
  });

  const startProcess = (): Process => {
    const id = uuidv7(clock);
    const process: Process = {
      isStopped: false,
      isSuspended: false,
      hiddenMs: 0,
      wallOffMs: 0,
      changed: new Set(),
      gateway: createVirtualGateway({
        id,
        sliceMax,
        clocks: () => ({
          monotonicMs: clock - process.hiddenMs,
          wallMs: clock + process.wallOffMs,
        }),
        work: work => leaseWork.work(id, work),
      }),
    };
    return process;
  };
  const processes = Array.from({length: gateways}, startProcess);

  /** Told at once or later what came of it. */
  const acquire = (
    process: Process,
    demand: Omit<Demand, 'price' | 'copies'>,
    policy: number,
    tell: (outcome: Taken | Refusal) => void = () => {},
  ) =>
    process.gateway.acquire({...demand, price: cheap, copies: 1}, outcome => {
      if ('holds' in outcome) {
        begin(process, outcome, demand.promptTokens, policy);
      }
      tell(outcome);
    });

  /** Recalls and changes are heard of beside each other. */
  const hear = ({gateway, changed}: Process) => {
    gateway.accounts.recall(leaseWork.recalledLeases(gateway.id));
    if (changed.size > 0) {
      gateway.accounts.change([...changed], gateway.clocks());
      changed.clear();
    }
  };
  const jump = (ms: number) => {
    clock += ms;
    for (const process of processes) {
      process.hiddenMs += process.isSuspended ? ms : 0;
    }
  };
  /** What a process that runs does again and again. */
  const beat = (process: Process) => {
    hear(process);
    process.gateway.reach();
    process.gateway.answer();
    process.gateway.tick();
    process.gateway.decide();
    for (const request of requests.requests) {
      if (request.process === process && clock >= request.deadlineMs) {
        requests.finish(request, nothing);
      }
    }
  };
  const readable = () => {
    const marker = log.findIndex(({marker, read}) => marker && !read);
    const before = log.slice(0, marker === -1 ? log.length : marker).filter(({read}) => !read);
    return before.length > 0 || marker === -1 ? before : log.slice(marker, marker + 1);
  };

  return {
    ...requests,
    store,
    budgets,
    processes,
    strays,
    log,
    now,
    append,
    handle,
    startProcess,
    acquire,
    hear,
    jump,
    /** Time goes by, and who runs goes on. */
    pass(ms: number, everyMs = 1_000) {
      for (let left = ms; left > 0; left -= everyMs) {
        jump(Math.min(left, everyMs));
        processes.filter(({isStopped}) => !isStopped).forEach(beat);
      }
    },
    /** Of processes that run. */
    alive: () =>
      requests.requests.filter(({process}) => !process.isStopped && processes.includes(process)),
    /** What every gateway does every few seconds. */
    sweep() {
      store.beginFences(undefined, times.ttlMs * 0.25);
      store.beginSettlements(graceMs);
    },
    /** The outbox's markers reach the log. */
    relay() {
      for (const [path, event] of store.state.outbox) {
        store.state.outbox.delete(path);
        if (/lease\.fenced|settlement\.due/.test(event.type)) {
          append(event, true);
        }
      }
    },
    readable,
    async read(count: number, order: number) {
      const batch: Event[] = [];
      for (let index = 0; index < count; index += 1) {
        const candidates = readable();
        const next = candidates[(order + index * 7) % Math.max(candidates.length, 1)];
        if (next) {
          next.read = true;
          batch.push(next.event);
        }
      }
      await handle(batch);
    },
    tellAll(budget: string) {
      for (const {changed} of processes) {
        changed.add(budget);
      }
    },
  };
};

export type World = ReturnType<typeof createWorld>;
