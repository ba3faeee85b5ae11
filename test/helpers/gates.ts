/**
Gates: the way to a test's own server in place of a function's process.

In: where it listens, undefined for a function that is away. Out: a gate without limits, or the way in by name.
*/
import {createGate, type Gate, type GateOptions} from '../../knative/local/activator/gate.ts';
import {type Enter, enterBy} from '../../knative/local/activator/gates.ts';
import type {Child} from '../../knative/local/processes.ts';

const childAt = (url: string | undefined): Child => ({
  name: 'test',
  url: () => url,
  pid: () => undefined,
  state: () => (url === undefined ? 'away' : 'listening'),
  crashes: () => 0,
  processes: () => (url === undefined ? 0 : 1),
  ready: Promise.resolve(),
  wake() {},
  rest() {},
  async stop() {},
  kill() {},
});

export const gateAt = (
  name: string,
  url: string | undefined,
  {rules, timeouts}: Partial<Pick<GateOptions, 'rules' | 'timeouts'>> = {},
): Gate =>
  createGate({
    name,
    rules: {concurrency: 0, holds: false, mayBeZero: false, ...rules},
    timeouts: {totalMs: 600_000, ...timeouts},
    idleMs: 0,
    restMs: 0,
    startChild: () => childAt(url),
  });

/** Looked up at each request: a test may move its function. */
export const enterAt = (urlOf: (name: string) => string | undefined): Enter =>
  enterBy(name => gateAt(name, urlOf(name)));
