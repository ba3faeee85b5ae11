/**
Check: the answer to a producer of events that asks whether a key may pass: request and reply, both CloudEvents.

In: dev.sluice.auth.check.requested.v1, with a key. Out: dev.sluice.auth.check.completed.v1, without it. A key is a secret, so the
request comes straight to this function and never by a Broker, which would keep it; and what is wrong with it is told in the reply,
because a delivery that fails ends as a dead letter with all that it carries. Only that nothing can be said is an error.
*/
import {hash} from 'node:crypto';
import {SluiceError} from '../../events/errors.ts';
import {type Event, makeEvent} from '../../events/event.ts';
import type {AuthCheckCompleted} from '../../events/types.ts';
import {type Denial, hasScope, type KeyScope, mayUseModel, type Principal} from './principal.ts';
import type {Principals} from './principals.ts';

type Reason = NonNullable<AuthCheckCompleted['reason']>;
type Asked = Readonly<{key: string; scope?: KeyScope; model?: string}>;

const scopes: readonly unknown[] = ['inference', 'models', 'events'];

export const answerCheck = ({
  principals,
  isStale,
  now = () => new Date(),
}: {
  principals: Principals;
  isStale: () => boolean;
  now?: () => Date;
}) =>
  async function answerCheck(event: Event) {
    if (event.type !== 'dev.sluice.auth.check.requested.v1') {
      throw new SluiceError(
        'unprocessable_event',
        'expected dev.sluice.auth.check.requested.v1, got another type',
      );
    }
    if (isStale()) {
      throw new SluiceError('unavailable', 'revocations cannot be read', {retryAfterSeconds: 1});
    }
    return makeEvent({
      type: 'dev.sluice.auth.check.completed.v1',
      from: 'auth',
      // An id is unique to its source only, so both go into ours.
      id: hash('sha256', JSON.stringify([event.source, event.id])).slice(0, 32),
      time: now(),
      traceparent: event.traceparent,
      data: await judge(principals, askedOf(event.data)),
    });
  };

const refused = (reason: Reason): AuthCheckCompleted => ({allowed: false, reason});

const judge = async (
  principals: Principals,
  asked: Asked | undefined,
): Promise<AuthCheckCompleted> => {
  if (!asked) {
    return refused('malformed');
  }
  const verdict = await principals.verify(asked.key);
  if ('denied' in verdict) {
    return refused(reasonOf(verdict.denied));
  }
  const {principal} = verdict;
  if (asked.scope !== undefined && !hasScope(principal, asked.scope)) {
    return refused('scope');
  }
  if (asked.model !== undefined && !mayUseModel(principal, asked.model)) {
    return refused('model');
  }
  return {allowed: true, ...whoIs(principal)};
};

const whoIs = ({org, project, key, scopes: own}: Principal) => ({
  org,
  project,
  key,
  scopes: (own ?? scopes) as string[],
});

/** All that is wrong with a key itself reads the same. */
const reasonOf = (denied: Denial): Reason =>
  denied === 'suspended' || denied === 'environment' || denied === 'scope'
    ? denied
    : 'unauthorized';

const askedOf = (data: unknown): Asked | undefined => {
  const {key, scope, model} = (data ?? {}) as Record<string, unknown>;
  return typeof key === 'string' &&
    (scope === undefined || scopes.includes(scope)) &&
    (model === undefined || typeof model === 'string')
    ? (data as Asked)
    : undefined;
};
