/**
Principal: who a request is from, and whether they may do what they ask.

In: what is stored of a key, the secret that came, the time, a model and environment. Out: yes, or a reason.
Every refusal of a key reads the same from outside, so that nobody learns which keys exist.
*/
import {timingSafeEqual} from 'node:crypto';
import type {Rates} from '../../events/rates.ts';

export type Environment = 'development' | 'staging' | 'production';

/** What a key may be used for: metered requests, the list of models, events from outside. */
export type KeyScope = 'inference' | 'models' | 'events';

export type Principal = Readonly<{
  org: string;
  project: string;
  key: string;
  /** As it came: a key has two for a while after it was rotated. */
  publicId: string;
  /** SHA-256 of the secret that belongs to it. */
  secretHash: Buffer;
  /** Null: all. */
  models: readonly string[] | null;
  environments: readonly string[] | null;
  /** Absent: all. */
  scopes?: readonly string[];
  /** Milliseconds since 1970; of this secret. */
  expiresAtMs: number | null;
  revoked: boolean;
  suspended: boolean;
  unsettledPolicy: 'prompt' | 'hold' | 'waive';
  /** Whether answers to requests with an Idempotency-Key are kept, encrypted, to be replayed. */
  keepResults?: boolean;
  /** Every budget that a request of this key counts in. */
  budgets: ReadonlyArray<Readonly<{id: string; unit: 'usd' | 'tokens' | 'gpu_ms'}>>;
  /** What may be used a minute and at once; absent: without a limit. */
  rates?: Readonly<Partial<Record<'org' | 'project' | 'key', Rates>>>;
  /** The most that may be asked for as max_tokens, the smaller of project and key; absent: whatever the model allows. */
  maxOutputTokens?: number;
}>;

export type Denial =
  | 'unknown'
  | 'revoked'
  | 'expired'
  | 'suspended'
  | 'environment'
  | 'scope'
  | 'model';

/** What a key is to be used for. */
export type Wanted = Readonly<{scope: KeyScope; model: string}>;

/** Constant in time for a key that exists; one that does not is told by the same answer, not by the same time. */
export const denialOf = (
  principal: Principal | undefined,
  {secretHash, nowMs, environment}: {secretHash: Buffer; nowMs: number; environment: Environment},
): Denial | undefined => {
  if (!principal || !timingSafeEqual(principal.secretHash, secretHash)) {
    return 'unknown';
  }
  if (principal.revoked) {
    return 'revoked';
  }
  if (principal.expiresAtMs !== null && principal.expiresAtMs <= nowMs) {
    return 'expired';
  }
  if (principal.suspended) {
    return 'suspended';
  }
  return principal.environments && !principal.environments.includes(environment)
    ? 'environment'
    : undefined;
};

export const mayUseModel = (principal: Principal, model: string) =>
  principal.models === null || principal.models.includes(model);

export const unfitFor = (principal: Principal, {scope, model}: Wanted): Denial | undefined => {
  if (!hasScope(principal, scope)) {
    return 'scope';
  }
  return mayUseModel(principal, model) ? undefined : 'model';
};

export const hasScope = ({scopes}: Pick<Principal, 'scopes'>, scope: KeyScope) =>
  scopes?.includes(scope) ?? true;
