/**
Away assertions: what every request must have met while something was away, and what must be in the log of it afterwards.

In: requests that were asked, the log's events by id. Out: nothing, or an error that names the request.
*/
import assert from 'node:assert/strict';
import type {Event} from '../../events/event.ts';
import type {InferenceFinished} from '../../events/types.ts';
import type {Asked} from './away-world.ts';
import {eventually} from './eventually.ts';
import type {Stream} from './streams.ts';

/** All answered so, whole, and within the bound. */
export const assertAnswered = (asked: readonly Asked[], status: number, withinMs: number) => {
  for (const {stream, how, tookMs} of asked) {
    assert.equal(stream.status, status, stream.text());
    assert.equal(how, 'whole');
    assert.ok(tookMs < withinMs, `${status} after ${Math.round(tookMs)} ms`);
  }
};

/** Served or told plainly that it was not, within the bound. */
export const assertClear = (asked: readonly Asked[], withinMs: number) => {
  for (const {stream, how, tookMs} of asked) {
    assert.ok([200, 503].includes(stream.status), `${stream.status} ${stream.text()}`);
    assert.equal(how, 'whole', `${stream.status} ${stream.text()}`);
    assert.ok(tookMs < withinMs, `${stream.status} after ${Math.round(tookMs)} ms`);
  }
};

/**
Asks until all of a round are answered within the bound: a busy machine may miss it once, who waits for what is away misses it always.
All that were asked, each answered so within the longer bound.
*/
export const answeredAtOnce = async (
  askSome: () => Promise<readonly Asked[]>,
  status: number,
  {atOnceMs, worstMs}: {atOnceMs: number; worstMs: number},
): Promise<readonly Asked[]> => {
  const all: Asked[] = [];
  await eventually(async () => {
    const asked = await askSome();
    all.push(...asked);
    assertAnswered(asked, status, atOnceMs);
  });
  assertAnswered(all, status, worstMs);
  return all;
};

export const longestMs = (asked: readonly Asked[]) =>
  Math.round(Math.max(...asked.map(({tookMs}) => tookMs)));

/** Waits until the log has exactly two events of each request that was served, and no charge of any that was not. */
export const assertLogged = (
  logged: () => Promise<ReadonlyMap<string, Event>>,
  streams: readonly Stream[],
  {timeoutMs = 60_000}: {timeoutMs?: number} = {},
) =>
  eventually(
    async () => {
      const events = await logged();
      const served = new Set<string>();
      for (const {status, request} of streams) {
        const result = events.get(`${request}/finished`)?.data as InferenceFinished | undefined;
        if (status === 200) {
          served.add(request);
          assert.ok(events.has(`${request}/started`), `${request} has no intent`);
          assert.ok(result, `${request} has no result`);
          assert.ok(result.outputTokens > 0, `${request} was served and is not charged`);
        } else {
          assert.equal(result?.outputTokens ?? 0, 0, `${request} was refused and is charged`);
        }
      }
      const charged = [...events.values()].filter(
        ({id, data}) =>
          id.endsWith('/finished') && (data as InferenceFinished).outcome === 'completed',
      );
      assert.equal(charged.length, served.size, 'completed results in the log');
    },
    {timeoutMs, intervalMs: 200},
  );
