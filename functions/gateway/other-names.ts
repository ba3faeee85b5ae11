/**
Other names: settings as deployments of other gateways call them, so that their manifests can be kept.

In: what was read of them. Out: our own settings, or a complaint that says what to use instead. None is passed over in silence: who
sets a limit and has none finds out by the bill.
*/
import {ConfigError, integer, optional, type Reader} from '../../events/config.ts';
import {usageTopic as topic} from '../../events/kafka/log.ts';

const unitsMs: Readonly<Record<string, number>> = {ms: 1, s: 1_000, m: 60_000, h: 3_600_000};

/** As Go writes it: `500ms`, `2s`, `1m30s`. */
const duration =
  ({minMs, maxMs}: {minMs: number; maxMs: number}): Reader<number> =>
  text => {
    const parts = [...(text ?? '').matchAll(/(\d{1,9})(ms|s|m|h)/g)];
    const isWhole = parts.length > 0 && parts.map(([part]) => part).join('') === text;
    const ms = parts.reduce(
      (sum, [, count, unit]) => sum + Number(count) * (unitsMs[unit as string] as number),
      0,
    );
    if (!isWhole || ms < minMs || ms > maxMs) {
      throw new Error(`expected a duration from ${minMs}ms to ${maxMs}ms, like 2s, got "${text}"`);
    }
    return ms;
  };

/** Only a host and a port: what holds a password is told by REDIS_URL. */
const redisAddress: Reader<string> = text => {
  if (text === undefined || !/^([\w.-]+|\[[\da-fA-F:]+\]):\d{1,5}$/.test(text)) {
    throw new Error('expected host:port; an address with more in it is told by REDIS_URL');
  }
  return `redis://${text}`;
};

const usageTopic: Reader<string> = text => {
  if (text !== topic) {
    throw new Error(
      `expected ${topic}, which is the gateway's log, got "${text}"; what other routers write into usage.records.v1 is read by the sources`,
    );
  }
  return topic;
};

const noAuditTopic: Reader<never> = () => {
  throw new Error(
    'there is no such topic: who was refused, and why, is in the log and shown by sluice explain; leave it out',
  );
};

/** For `readConfig`. */
export const otherReaders = {
  REDIS_ADDR: optional(redisAddress),
  KAFKA_TOPIC: optional(usageTopic),
  KAFKA_AUDIT_TOPIC: optional(noAuditTopic),
  HEALTH_CHECK_INTERVAL: optional(duration({minMs: 1_000, maxMs: 60_000})),
  RATE_LIMIT_DEFAULT_RPS: optional(integer({min: 1, max: 1_000_000})),
  RATE_LIMIT_BURST_SIZE: optional(integer({min: 1, max: 60_000_000})),
  BUDGET_SERVICE_TIMEOUT: optional(duration({minMs: 100, maxMs: 30_000})),
};

export type OtherSettings = Readonly<{
  redisUrl?: string;
  /** After so long an endpoint that was found ill is asked for again. */
  recheckMs?: number;
  leaseWaitMs?: number;
  /** Of a key that has no such limit of its own. */
  defaultRequestsPerMinute?: number;
}>;

type Read = {readonly [Name in keyof typeof otherReaders]: ReturnType<(typeof otherReaders)[Name]>};

export const otherSettings = (
  read: Read & Readonly<{REDIS_URL?: string | undefined}>,
): OtherSettings => {
  const {REDIS_URL, REDIS_ADDR, RATE_LIMIT_DEFAULT_RPS: rps, RATE_LIMIT_BURST_SIZE: burst} = read;
  const perMinute = rps === undefined ? undefined : 60 * rps;
  const complaints = [
    ...(REDIS_URL !== undefined && REDIS_ADDR !== undefined
      ? ['REDIS_URL, REDIS_ADDR: expected one of them']
      : []),
    ...(burst !== undefined && burst !== perMinute
      ? [
          `RATE_LIMIT_BURST_SIZE: a limit holds a minute's worth, so its burst is 60 × RATE_LIMIT_DEFAULT_RPS${perMinute === undefined ? '' : `, ${perMinute}`}; leave it out`,
        ]
      : []),
  ];
  if (complaints.length > 0) {
    throw new ConfigError(complaints);
  }
  const redisUrl = REDIS_URL ?? REDIS_ADDR;
  return {
    ...(redisUrl === undefined ? {} : {redisUrl}),
    ...(read.HEALTH_CHECK_INTERVAL === undefined ? {} : {recheckMs: read.HEALTH_CHECK_INTERVAL}),
    ...(read.BUDGET_SERVICE_TIMEOUT === undefined
      ? {}
      : {leaseWaitMs: read.BUDGET_SERVICE_TIMEOUT}),
    ...(perMinute === undefined ? {} : {defaultRequestsPerMinute: perMinute}),
  };
};
