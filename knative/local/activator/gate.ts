/**
Gate: the one way to a function, as Knative's activator and queue-proxy are. Shell; the rules are in `admission.ts`.

Whoever sends a request to a function enters first and leaves when it has the whole answer, or none:

    const entry = await gate.enter({signal});
    if (entry.kind === 'refused') …            // `reason` says why; nothing was sent, nothing is to be released
    try {… send to entry.url, give up after entry.leftMs() …} finally {entry.release();}

- `enter` wakes a function that rests. It may take as long as the function has for a request (`timeoutSeconds`), which is
  counted from here; aborting `signal` takes the caller out of the queue. It never rejects.
- `url` is good until `release`: a process is told to end only when nobody is inside. `release` may be called twice; with
  `broken` it says that the answer broke off, so that a crash that follows is not taken for one of a function at rest.
- A sender that found nobody at `url` (no connection, nothing sent) releases and enters again with the `sinceMs` of its first
  try: the process has been killed, and in a moment the gate knows.
- `full` and `late` are answers of the gate, a 503 and a 504; a sender of events counts them as attempts. `away` and `ended`
  say that the function has no process now: what is patient comes again, a client is told 503. `left` is the caller's own
  abort.
*/
import {Agent} from 'node:http';
import type {Child, ChildOptions} from '../processes.ts';
import {
  type AdmissionRules,
  admit,
  hasRoom,
  isHeld,
  isIdle,
  mayRest,
  type Standing,
} from './admission.ts';
import {createWaiting} from './waiting.ts';

export type Entered = Readonly<{
  kind: 'entered';
  url: string;
  /** Its connections are this process's only: a port may be used again by the next one. */
  agent: Agent;
  /** Of the time that the function has for a request. */
  leftMs(): number;
  release(how?: 'broken'): void;
}>;

export type Reason = 'full' | 'away' | 'late' | 'left' | 'ended';
export type Refused = Readonly<{kind: 'refused'; reason: Reason; message: string}>;

/** What the front door's `/healthz` tells of it. */
export type Look = Standing & Readonly<{url: string | undefined; held: boolean}>;

export type EnterOptions = Readonly<{
  signal?: AbortSignal;
  /** Of `performance.now()`: from when the time of the request counts, if not from now. */
  sinceMs?: number;
}>;

export type Gate = Readonly<{
  name: string;
  timeouts: Timeouts;
  /** Resolves when the function listens for the first time; rejects when it ends before that. */
  ready: Promise<void>;
  enter(options?: EnterOptions): Promise<Entered | Refused>;
  look(): Look;
  /** Who waits is let in, nobody else; then the function drains for at most `graceMs`. */
  stop(graceMs: number): Promise<void>;
  kill(): void;
}>;

/** From the manifest; see `patience.ts`. */
export type Timeouts = Readonly<{
  /** From entering to the end of the answer. */
  totalMs: number;
  responseStartMs?: number | undefined;
  idleMs?: number | undefined;
}>;

export type GateOptions = Readonly<{
  name: string;
  rules: AdmissionRules;
  timeouts: Timeouts;
  /** Without a request for this long it rests, if its rules let it. */
  idleMs: number;
  /** What a process that rests may take to end. */
  restMs: number;
  startChild: (hooks: Required<Pick<ChildOptions, 'onChange' | 'onCrash'>>) => Child;
  now?: () => number;
}>;

export const createGate = ({
  name,
  rules,
  timeouts,
  idleMs,
  restMs,
  startChild,
  now = () => performance.now(),
}: GateOptions): Gate => {
  const waiting = createWaiting<Entered, Reason>();
  let inside = 0;
  let closing = false;
  let idle: NodeJS.Timeout | undefined;
  let agent = new Agent({keepAlive: true});
  let agentOf: number | undefined;
  let broken = false;

  const standing = (): Standing => ({
    state: child.state(),
    crashes: child.crashes(),
    processes: child.processes(),
    inside,
    waiting: waiting.size(),
  });

  const watchIdle = () => {
    clearTimeout(idle);
    if (!closing && mayRest(standing(), rules)) {
      idle = setTimeout(() => {
        if (mayRest(standing(), rules)) {
          child.rest(restMs);
        }
      }, idleMs);
    }
  };

  const onChange = () => {
    if (child.pid() !== agentOf) {
      agentOf = child.pid();
      broken = false;
      agent = new Agent({keepAlive: true});
    }
    if (child.state() !== 'listening' && !isHeld(standing(), rules)) {
      waiting.refuseAll('away');
    }
    letIn();
    watchIdle();
  };

  const letIn = () => waiting.letIn(() => hasRoom(standing(), rules));

  const entered = (sinceMs: number): Entered => {
    clearTimeout(idle);
    inside += 1;
    let left = false;
    return {
      kind: 'entered',
      url: child.url() as string,
      agent,
      leftMs: () => Math.max(1, timeouts.totalMs - (now() - sinceMs)),
      release(how) {
        if (!left) {
          left = true;
          broken ||= how === 'broken';
          inside -= 1;
          letIn();
          watchIdle();
        }
      },
    };
  };

  const wait = async (sinceMs: number, signal: AbortSignal | undefined) => {
    const place = await waiting.wait({
      enter: () => entered(sinceMs),
      leftMs: timeouts.totalMs - (now() - sinceMs),
      signal,
    });
    if (typeof place !== 'string') {
      return place;
    }
    watchIdle();
    return refused(name, place);
  };

  const onCrash = () => {
    if (!rules.mayBeZero || !isIdle(standing())) {
      return 'restart';
    }
    return broken ? 'rest' : 'forgive';
  };

  const child = startChild({onChange, onCrash});
  return {
    name,
    timeouts,
    ready: child.ready,
    async enter({signal, sinceMs = now()} = {}) {
      if (closing) {
        return refused(name, 'ended');
      }
      if (signal?.aborted) {
        return refused(name, 'left');
      }
      clearTimeout(idle);
      child.wake();
      const verdict = admit(standing(), rules);
      switch (verdict) {
        case 'enter':
          return entered(sinceMs);
        case 'wait':
          return wait(sinceMs, signal);
        default:
          return refused(name, verdict);
      }
    },
    look: () => ({...standing(), url: child.url(), held: isHeld(standing(), rules)}),
    async stop(graceMs) {
      closing = true;
      clearTimeout(idle);
      await waiting.emptied();
      await child.stop(graceMs);
    },
    kill() {
      closing = true;
      clearTimeout(idle);
      child.kill();
      waiting.refuseAll('ended');
    },
  };
};

const messages: Readonly<Record<Reason, (name: string) => string>> = {
  // Knative's own words.
  full: name => `the function ${name}: pending request queue full`,
  away: name => `the function ${name} is away`,
  late: name => `the function ${name} took no request in time`,
  left: () => 'the sender went away',
  ended: () => 'Sluice is shutting down',
};

export const refused = (name: string, reason: Reason): Refused => ({
  kind: 'refused',
  reason,
  message: messages[reason](name),
});
