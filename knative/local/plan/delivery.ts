/**
Delivery: what `spec.delivery` of a Broker or a Trigger asks for.

In: the fields. Out: a policy, or a DeliveryError that names the field.
*/
import {type DeliveryPolicy, defaultPolicy} from '../../../events/delivery/policy.ts';

/** Thrown by `readPolicy`; `field` is below `spec.delivery`. */
export class DeliveryError extends Error {
  override readonly name = 'DeliveryError';
  readonly field: string;

  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** ISO 8601 period of days and less, as Knative takes them. Undefined when it is none. */
export const readDurationMs = (text: unknown): number | undefined => {
  const found = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.,]\d+)?)S)?)?$/.exec(
    String(text),
  );
  const [, ...parts] = found ?? [];
  if (typeof text !== 'string' || parts.every(part => part === undefined)) {
    return undefined;
  }
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts.map(part =>
    Number((part ?? '0').replace(',', '.')),
  );
  return Math.round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000);
};

/** Knative's webhook refuses it too. */
const longerThanNothing = (ms: number): number => {
  if (ms < 1) {
    throw new DeliveryError('timeout', 'timeout is longer than nothing');
  }
  return ms;
};

/** Without both policy and delay there is no wait between attempts, as in Knative; without `retry` there is one attempt. */
export const readPolicy = (delivery: unknown): DeliveryPolicy => {
  const {retry = 0, backoffPolicy, backoffDelay, timeout} = delivery as Record<string, unknown>;
  const duration = (field: string, value: unknown) => {
    const ms = readDurationMs(value);
    if (ms === undefined) {
      throw new DeliveryError(
        field,
        `${field} is an ISO 8601 duration such as PT0.5S, got ${JSON.stringify(value)}`,
      );
    }
    return ms;
  };
  if (!Number.isSafeInteger(retry) || (retry as number) < 0) {
    throw new DeliveryError(
      'retry',
      `retry is a whole number from 0, got ${JSON.stringify(retry)}`,
    );
  }
  if (
    backoffPolicy !== undefined &&
    backoffPolicy !== 'linear' &&
    backoffPolicy !== 'exponential'
  ) {
    throw new DeliveryError(
      'backoffPolicy',
      `backoffPolicy is linear or exponential, got ${JSON.stringify(backoffPolicy)}`,
    );
  }
  const delayMs = backoffDelay === undefined ? 0 : duration('backoffDelay', backoffDelay);
  return {
    ...defaultPolicy,
    retries: retry as number,
    backoff: backoffPolicy ?? 'exponential',
    backoffMs: backoffPolicy === undefined ? 0 : delayMs,
    ...(timeout === undefined ? {} : {timeoutMs: longerThanNothing(duration('timeout', timeout))}),
  };
};
