/**
Use: one request at one endpoint, from its choice to its end, and what that says of the endpoint.

In: the spot that was picked. Out: a place. It is counted from the choice on, so that the next choice knows of it, and is counted out once.
*/
import {afterFailure, closed, isOpen, onTrial, withoutTrial} from './circuit.ts';
import type {Spot} from './lane.ts';
import type {Outcome, Place} from './place.ts';

export const beginUse = (
  spot: Spot,
  beganMs: number,
  {
    nowMs,
    onAnswer,
    onEnd,
  }: Readonly<{
    nowMs: () => number;
    /** It works: told when it answers, and when a use ended well. */
    onAnswer: (spot: Spot) => void;
    onEnd: (outcome: Outcome, tookMs: number, endedMs: number) => void;
  }>,
): Place => {
  const isTrial = isOpen(spot.circuit);
  if (isTrial) {
    spot.circuit = onTrial(spot.circuit, beganMs);
  }
  spot.inFlight += 1;
  let isOver = false;
  return {
    endpoint: spot.entry,
    answers() {
      // Only news is written down: nothing is, at an endpoint that works.
      if (!isOver && (isOpen(spot.circuit) || spot.hasFailed)) {
        worked(spot, nowMs());
        onAnswer(spot);
      }
    },
    end(outcome) {
      if (isOver) {
        return;
      }
      isOver = true;
      spot.inFlight -= 1;
      const now = nowMs();
      if (outcome === 'worked') {
        worked(spot, now);
        onAnswer(spot);
      } else if (outcome === 'failed') {
        spot.hasFailed = true;
        spot.circuit = afterFailure(spot.circuit, isTrial, now);
      } else if (isTrial && isOpen(spot.circuit)) {
        spot.circuit = withoutTrial(spot.circuit);
      }
      onEnd(outcome, now - beganMs, now);
    },
  };
};

export const worked = (spot: Spot, nowMs: number) => {
  spot.answeredMs = nowMs;
  spot.hasFailed = false;
  spot.circuit = closed;
};
