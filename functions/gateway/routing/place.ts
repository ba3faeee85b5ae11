/**
Place: a request's use of an endpoint, and what it is told when there is none. The words of the files around it.
*/
import type {EndpointEntry} from '../../registry/catalogue.ts';

/** `failed`: a failure that speaks against the endpoint. `left`: nobody waited any more, which says nothing of it. */
export type Outcome = 'worked' | 'failed' | 'left';

export type Place = Readonly<{
  endpoint: EndpointEntry;
  /** It has begun to answer: an endpoint on trial is taken back, although the answer may last for minutes. Optional. */
  answers(): void;
  /** Ends the use, once. What it says about the endpoint feeds the circuit. */
  end(outcome: Outcome): void;
}>;

export type Unplaced = Readonly<{
  /**
  no_endpoint: none is there, or none that it has not tried, or all circuits are open; saturated: the queue is full, or was
  waited in for `queueMs`, or would be; late: it would be waited for longer than the request may; not_started: the model did
  not start in its time.
  */
  why: 'no_endpoint' | 'saturated' | 'late' | 'not_started';
  retryAfterSeconds: number;
}>;

export type Waiting = Readonly<{
  /** Never rejects. A place that it resolves with is the asker's to end, also when the client went meanwhile. */
  placed: Promise<Place | Unplaced>;
  /** A scaled-to-zero model is starting: the wait may be minutes. */
  isStarting: boolean;
  /** The client went: `placed` resolves at once without a place. Does nothing when it has resolved before. */
  leave(): void;
}>;

export const unplaced = (why: Unplaced['why'], waitMs: number): Unplaced => ({
  why,
  retryAfterSeconds: Math.min(Math.max(Math.ceil(waitMs / 1_000), 1), 60),
});
