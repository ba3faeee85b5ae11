/**
Admission: whether a request may go to a function, waits before its gate, or is refused; and when the function may rest.

In: how things stand at the gate, its rules. Out: a verdict. These are the rules of Knative Serving's activator and queue-proxy
for one pod:

1. At most `concurrency` requests are inside, 0 is no limit. Ten times as many wait; one more is `full`.
2. While the function has no process that listens, requests are held, up to `heldMax`, when `holds` is set; otherwise they
   are refused as `away`. A function that crashed `crashesMax` times in a row is away in either case: waiting would not help.
3. It may rest when nobody is inside or waiting and no older process of it is still draining, so that there are never more
   than two.
*/
import type {ChildState} from '../processes.ts';

export type Standing = Readonly<{
  state: ChildState;
  /** In a row. */
  crashes: number;
  /** Those that drain are counted. */
  processes: number;
  inside: number;
  waiting: number;
}>;

export type AdmissionRules = Readonly<{
  concurrency: number;
  /** Whether requests wait for a function that starts. */
  holds: boolean;
  /** Whether it may have no process at all. */
  mayBeZero: boolean;
  heldMax?: number;
}>;

export type Verdict = 'enter' | 'wait' | 'full' | 'away';

/** The depth of queue-proxy's queue, in multiples of what may be inside. */
const queueDepth = 10;
/** What Knative's activator queues for one revision. */
const defaultHeldMax = 10_000;
const crashesMax = 3;

export const isHeld = ({state, crashes}: Standing, {holds}: AdmissionRules): boolean =>
  holds && state !== 'stopped' && crashes < crashesMax;

export const hasRoom = ({state, inside}: Standing, {concurrency}: AdmissionRules): boolean =>
  state === 'listening' && (concurrency === 0 || inside < concurrency);

export const admit = (standing: Standing, rules: AdmissionRules): Verdict => {
  const {state, waiting} = standing;
  const {concurrency, heldMax = defaultHeldMax} = rules;
  // Nobody overtakes those who wait.
  if (waiting === 0 && hasRoom(standing, rules)) {
    return 'enter';
  }
  if (state === 'listening') {
    return waiting < concurrency * queueDepth ? 'wait' : 'full';
  }
  if (!isHeld(standing, rules)) {
    return 'away';
  }
  return waiting < heldMax ? 'wait' : 'full';
};

/** Nobody needs it now. */
export const isIdle = ({inside, waiting}: Standing): boolean => inside === 0 && waiting === 0;

export const mayRest = (standing: Standing, {mayBeZero}: AdmissionRules): boolean =>
  mayBeZero && standing.state === 'listening' && standing.processes === 1 && isIdle(standing);
