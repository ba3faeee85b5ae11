/**
Headers: what a client is told of its limits: `x-ratelimit-*` as OpenAI sends them, and the standard's `RateLimit-Policy` and
`RateLimit` (draft-ietf-httpapi-ratelimit-headers-10). Pure.

In: the limits of the caller, what is left of each. Out: names and values. Of requests and of tokens OpenAI's have one each, so it is
the one of which least is left; the standard's has them all. A model's limits are not told of: they count everybody's requests.
*/
import type {Limit} from './limit.ts';
import type {Quota} from './limit-book.ts';

const nameOf = ({scope, unit}: Limit) => `"${scope}-${unit}"`;

const policyText = (limits: readonly Limit[]): string =>
  limits
    .map(limit =>
      limit.unit === 'parallel'
        ? `${nameOf(limit)};q=${limit.capacity};qu="concurrent-requests"`
        : `${nameOf(limit)};q=${limit.capacity};w=60`,
    )
    .join(', ');

/** What stays the same of a caller's limits: the policy, and how the state of each begins in their list. */
type Texts = Readonly<{policy: string; beginnings: readonly string[]}>;
const texts = new WeakMap<readonly Limit[], Texts>();
const textsOf = (limits: readonly Limit[]): Texts => {
  let found = texts.get(limits);
  if (!found) {
    found = {
      policy: policyText(limits),
      beginnings: limits.map((limit, index) => `${index === 0 ? '' : ', '}${nameOf(limit)};r=`),
    };
    texts.set(limits, found);
  }
  return found;
};

export const setLimitHeaders = (
  response: {setHeader(name: string, value: string): unknown},
  limits: readonly Limit[],
  quotaOf: (limit: Limit) => Quota,
) => {
  if (limits.length === 0) {
    return;
  }
  const least: {requests?: Quota; tokens?: Quota} = {};
  const {policy, beginnings} = textsOf(limits);
  let states = '';
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index] as Limit;
    const quota = quotaOf(limit);
    const {remaining, resetMs} = quota;
    if (limit.unit === 'parallel') {
      states += `${beginnings[index]}${remaining}`;
      continue;
    }
    states += `${beginnings[index]}${remaining};t=${Math.ceil(resetMs / 1_000)}`;
    const before = least[limit.unit];
    if (!before || remaining < before.remaining) {
      least[limit.unit] = quota;
    }
  }
  for (const unit of ['requests', 'tokens'] as const) {
    const quota = least[unit];
    if (quota) {
      response.setHeader(`x-ratelimit-limit-${unit}`, String(quota.limit.capacity));
      response.setHeader(`x-ratelimit-remaining-${unit}`, String(quota.remaining));
      response.setHeader(`x-ratelimit-reset-${unit}`, duration(quota.resetMs));
    }
  }
  response.setHeader('ratelimit-policy', policy);
  response.setHeader('ratelimit', states);
};

/** As OpenAI writes it: `120ms`, `1s`, `8.64s`, `6m0s`. */
export const duration = (ms: number): string => {
  if (ms === 0) {
    return '0s';
  }
  if (ms < 1_000) {
    return `${ms}ms`;
  }
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1_000;
  return `${hours > 0 ? `${hours}h` : ''}${hours + minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
};
