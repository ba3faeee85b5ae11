/**
Rates: how many events and bytes an organisation may send in a window of time.

In: an organisation, amounts. Out: whether they fit, and what to tell in the headers RateLimit-*. In the memory of this
process: two processes let through twice as much, and none waits for another.
*/
import {RateLimiterMemory, RateLimiterRes} from 'rate-limiter-flexible';

export type RateLimits = Readonly<{
  eventsPerSecond: number;
  bytesPerSecond: number;
  /** One second; a test that must not be overtaken by the clock takes more. */
  windowSeconds?: number;
}>;
export type Taken = Readonly<{
  exceeded: 'events' | 'bytes' | undefined;
  retryAfterSeconds: number;
  /** Of the limit that was exceeded, else of the events. */
  headers: Readonly<Record<string, string>>;
}>;

export const createRates = ({eventsPerSecond, bytesPerSecond, windowSeconds = 1}: RateLimits) => {
  const limitOf = {events: eventsPerSecond, bytes: bytesPerSecond} as const;
  type Unit = keyof typeof limitOf;
  const limiter = (unit: Unit) =>
    new RateLimiterMemory({keyPrefix: unit, points: limitOf[unit], duration: windowSeconds});
  const limiters = {events: limiter('events'), bytes: limiter('bytes')};
  const policy = `${eventsPerSecond};w=${windowSeconds};comment="events", ${bytesPerSecond};w=${windowSeconds};comment="bytes"`;

  const consume = async (unit: Unit, org: string, amount: number) => {
    try {
      return {unit, found: await limiters[unit].consume(org, amount), exceeded: false};
    } catch (refusal) {
      if (refusal instanceof RateLimiterRes) {
        return {unit, found: refusal, exceeded: true};
      }
      throw refusal;
    }
  };

  return {
    async take(org: string, amounts: {events: number; bytes: number}): Promise<Taken> {
      const events = await consume('events', org, amounts.events);
      const bytes = await consume('bytes', org, amounts.bytes);
      const shown = !events.exceeded && bytes.exceeded ? bytes : events;
      const seconds = Math.max(1, Math.ceil(shown.found.msBeforeNext / 1_000));
      return {
        exceeded: shown.exceeded ? shown.unit : undefined,
        retryAfterSeconds: seconds,
        headers: {
          'ratelimit-limit': String(limitOf[shown.unit]),
          'ratelimit-remaining': String(shown.found.remainingPoints),
          'ratelimit-reset': String(seconds),
          'ratelimit-policy': policy,
        },
      };
    },
  };
};

export type Rates = ReturnType<typeof createRates>;
