/**
Budget steps: what may happen in a budget world, each chosen by numbers; and an end in which everybody gets time.
*/
import assert from 'node:assert/strict';
import type {Taken} from '../../functions/budget/leases/account.ts';
import {freeOf} from '../../functions/budget/leases/lease.ts';
import type {Refusal} from '../../functions/budget/leases/waiters.ts';
import type {Process, World} from './budget-world.ts';
import {recorded} from './external-usage.ts';
import {nothing} from './virtual-requests.ts';

const jumps = [
  1, 20, 250, 1_000, 5_000, 14_000, 20_001, 31_000, 54_999, 55_001, 61_000, 76_000, 130_000,
];
const clockSteps = [-90_000, -20_000, -1_000, 5_000, 30_000, 70_000];

const pick = <Item>(items: readonly Item[], which: number) =>
  items[which % Math.max(items.length, 1)];

type Request = World['requests'][number];

const readAll = async (world: World) => {
  world.relay();
  while (world.readable().length > 0) {
    await world.read(7, 0);
    world.relay();
  }
};

const wakeAll = ({processes}: World) => {
  for (const process of processes) {
    process.isStopped = false;
    process.isSuspended = false;
  }
};

export const createSteps = (world: World) => {
  const {store, processes, strays, budgets, finish} = world;
  const {opened} = store;

  const processOf = (which: number) => pick(processes, which) as Process;
  const running = (which: number, then: (process: Process) => void) => {
    const process = processOf(which);
    if (!process.isStopped) {
      then(process);
    }
  };
  const one = (requests: readonly Request[], which: number, then: (request: Request) => void) => {
    const request = pick(requests, which);
    if (request) {
      then(request);
    }
  };
  const unfinished = () => world.alive().filter(({result}) => !result);
  const change = (which: number, fields: {limit?: bigint; paused?: boolean}) => {
    const {id} = pick(budgets, which) as (typeof budgets)[number];
    opened.change(id, fields, world.now());
    world.tellAll(id);
  };
  const demand = (tokens: number, choice: number) => ({
    budgets: budgets.filter((_, index) => choice % 4 === 3 || index !== choice % 4),
    promptTokens: tokens % 7,
    maxTokens: 1 + (tokens % 100),
    minTokens: 1 + (choice % 5),
  });

  /** Limit less what is charged, held, or held by who does not run: nobody else needs it. */
  const isThere = (budget: string) => {
    const row = opened.budgetOf(budget);
    const window = row && opened.windowAt(row, world.now());
    const endsMs = opened.bounds.get(window?.id ?? '')?.endsMs ?? 0;
    if (!window || row.paused || endsMs - world.now() < 5_000) {
      return 0;
    }
    const free = processes.flatMap(({gateway}) =>
      gateway.leases().map(lease => {
        const state = lease.window === window.id && store.state.leases.get(lease.id)?.state;
        return state === 'open' || state === 'closed' ? freeOf(lease) : 0;
      }),
    );
    const unused = BigInt(free.reduce((sum, amount) => sum + amount, 0));
    return Number(window.limit - window.spent - window.overage - window.leased + unused);
  };

  return {
    acquire(which: number, tokens: number, choice: number) {
      running(which, process => world.acquire(process, demand(tokens, choice), choice));
    },
    /** Where everybody runs and hears of recalls, nobody is refused what is there. */
    calm(which: number, tokens: number, choice: number) {
      wakeAll(world);
      world.pass(5_000, 100);
      const wanted = demand(tokens, choice);
      const hold = wanted.promptTokens + wanted.maxTokens;
      const isEnough = wanted.budgets.every(({id}) => isThere(id) >= hold);
      let outcome: Taken | Refusal | undefined;
      const whole = {...wanted, minTokens: wanted.maxTokens};
      world.acquire(processOf(which), whole, choice, found => {
        outcome = found;
      });
      world.pass(2_500, 50);
      assert.ok(outcome, 'everybody is told something');
      assert.ok(
        !isEnough || 'holds' in outcome,
        `refused although it is there: ${JSON.stringify(outcome)}`,
      );
    },
    tick: (which: number) => running(which, ({gateway}) => gateway.tick()),
    send: (which: number) => running(which, ({gateway}) => gateway.send()),
    /** A statement reaches the store, also of a process that stopped meanwhile; or twice. */
    reach(which: number, twice: number) {
      processOf(which).gateway.reach();
      if (twice % 4 === 0) {
        processOf(which).gateway.reach();
      }
    },
    answer: (which: number) => running(which, ({gateway}) => gateway.answer()),
    lose: (which: number) => running(which, ({gateway}) => gateway.lose()),
    stray: (which: number) => processOf(which).gateway.stray(),
    hear: (which: number) => running(which, world.hear),
    /** All of a process that waits to be sent, and what was sent is acknowledged. */
    flow(which: number) {
      running(which, process => {
        for (const request of world.alive().filter(({process: its}) => its === process)) {
          world.send(request, 'intent');
          world.acknowledge(request);
          world.send(request, 'result');
          world.acknowledge(request);
        }
      });
    },
    /** Results go by another way than intents, and may be there first. */
    write(which: number, what: number) {
      one(world.alive(), which, request => {
        world.send(request, what % 2 === 0 ? 'intent' : 'result');
      });
    },
    acknowledge: (which: number) => one(world.alive(), which, world.acknowledge),
    finish(which: number, of: number) {
      one(unfinished(), which, request => {
        const outputTokens = of % (request.taken.maxTokens + 1);
        finish(request, {inputTokens: request.promptTokens, outputTokens});
      });
    },
    /** A model server that reports more than the request could have used. */
    lie(which: number, more: number) {
      one(unfinished(), which, request => {
        request.isLie = true;
        const outputTokens = request.taken.maxTokens + 1 + more;
        finish(request, {inputTokens: request.promptTokens, outputTokens});
      });
    },
    /** Given up by its process, which charges nothing; it reaches the log late or never. */
    failIntent(which: number, isLost: number) {
      const kept = world.alive().filter(({intentState}) => intentState === 'kept');
      one(kept, which, request => {
        request.intentState = 'failed';
        if (isLost % 2 === 0) {
          strays.push(request.intent);
          request.isLate = true;
        }
        finish(request, nothing);
      });
    },
    loseResult(which: number) {
      const kept = world.alive().filter(({resultState}) => resultState === 'kept');
      one(kept, which, request => {
        request.resultState = 'lost';
        world.results.delete(request.id);
        request.taken.abandon();
      });
    },
    land(which: number) {
      const event = pick(strays, which);
      if (event) {
        strays.splice(strays.indexOf(event), 1);
        world.append(event);
      }
    },
    /** kill -9: what it had not sent is lost, or on its way. Another takes its place. */
    kill(which: number, onTheWay: number) {
      const process = processOf(which);
      const its = world.requests.filter(request => request.process === process);
      for (const [index, request] of its.entries()) {
        const isSent = (index + onTheWay) % 2 === 0;
        request.isLate ||= isSent;
        if (request.intentState === 'kept' && isSent) {
          strays.push(request.intent);
        }
        if (request.result && request.resultState === 'kept' && isSent) {
          strays.push(request.result);
        } else if (request.resultState === 'kept') {
          world.results.delete(request.id);
        }
      }
      processes[which % processes.length] = world.startProcess();
    },
    /** SIGSTOP: its clocks run on. */
    freeze(which: number) {
      processOf(which).isStopped = true;
    },
    /** Its machine sleeps: the monotonic clock stands. */
    suspend(which: number) {
      const process = processOf(which);
      if (process.wallOffMs === 0) {
        process.isStopped = true;
        process.isSuspended = true;
      }
    },
    wake(which: number) {
      processOf(which).isStopped = false;
      processOf(which).isSuspended = false;
    },
    /** Somebody sets a wall clock; of a machine that slept nobody could tell both apart. */
    stepClock(which: number, by: number) {
      const process = processOf(which);
      if (process.hiddenMs === 0 && !process.isSuspended) {
        process.wallOffMs += pick(clockSteps, by) as number;
      }
    },
    limit: (which: number, limit: number) => change(which, {limit: BigInt(limit)}),
    topUp(which: number, amount: number) {
      const {id} = pick(budgets, which) as (typeof budgets)[number];
      opened.topUp(id, BigInt(1 + amount), world.now());
      world.tellAll(id);
    },
    pause: (which: number, how: number) => change(which, {paused: how % 3 === 0}),
    external(tokens: number) {
      const at = new Date(world.now()).toISOString();
      world.append(recorded({at, inputTokens: tokens % 50, outputTokens: 0}));
    },
    jump: (by: number) => world.jump(pick(jumps, by) as number),
    pass: (by: number) => world.pass(pick(jumps, by) as number),
    /** Longer than a request may last; what nobody heard of since is settled. */
    async long(ms: number) {
      world.pass(400_000 + ms * 300, 20_000);
      world.sweep();
      await readAll(world);
    },
    sweep: () => world.sweep(),
    relay: () => world.relay(),
    read: (count: number, order: number) => world.read(1 + (count % 8), order),
    async readAgain(from: number, count: number) {
      const seen = world.log.filter(({read}) => read).map(({event}) => event);
      await world.handle(seen.slice(from % Math.max(seen.length, 1)).slice(0, count % 8));
    },
  };
};

export type Steps = ReturnType<typeof createSteps>;

/** Nobody is stopped any more, every request ends, every clock runs on for long, everything is read. */
export const end = async (world: World) => {
  wakeAll(world);
  for (const event of world.strays.splice(0)) {
    world.append(event);
  }
  // Then the deadlines of requests whose result never came.
  for (const passMs of [5_000, 5_000, ...Array(6).fill(20_000), ...Array(4).fill(400_000)]) {
    for (const request of world.alive()) {
      world.finish(request, {inputTokens: request.promptTokens, outputTokens: 1});
      world.send(request, 'intent');
      world.acknowledge(request);
      world.send(request, 'result');
      world.acknowledge(request);
    }
    world.pass(passMs, Math.min(passMs / 5, 20_000));
    world.sweep();
    await readAll(world);
  }
};
