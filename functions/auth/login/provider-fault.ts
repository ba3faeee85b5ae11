/**
Provider fault: why a login by the provider came to nothing.

In: what `openid-client` threw. Out: whose fault it is, and a sentence for the log, without tokens and claims.
*/

/**
away: it cannot be reached, or answers too late. wrong: it says what cannot be believed. refused: it lets this person, or this login,
not in; `error` is its own word for why.
*/
export type FaultKind = 'away' | 'wrong' | 'refused';

export class ProviderFault extends Error {
  override readonly name = 'ProviderFault';
  readonly kind: FaultKind;
  readonly error: string | undefined;

  constructor(kind: FaultKind, message: string, error?: string) {
    super(message);
    this.kind = kind;
    this.error = error;
  }
}

type Thrown = {code?: unknown; name?: unknown; error?: unknown; status?: unknown; cause?: unknown};

/** Words of RFC 6749 and OpenID Connect: anything else is not repeated. */
const wordOf = (error: unknown): string | undefined =>
  typeof error === 'string' && /^[a-z_]{1,64}$/.test(error) ? error : undefined;

export const toFault = (thrown: unknown, issuer: string): ProviderFault => {
  if (thrown instanceof ProviderFault) {
    return thrown;
  }
  const {code, name, error, status} = (thrown ?? {}) as Thrown;
  const word = wordOf(error);
  if (isAway(thrown)) {
    return new ProviderFault('away', `${issuer} cannot be reached: ${chainOf(thrown)}`);
  }
  if (
    name === 'AuthorizationResponseError' ||
    (name === 'ResponseBodyError' && Number(status) < 500)
  ) {
    const isOurs = word === 'invalid_client' || word === 'unauthorized_client';
    return new ProviderFault(
      isOurs ? 'wrong' : 'refused',
      `${issuer} refused: ${word ?? 'without a reason'}`,
      word,
    );
  }
  return new ProviderFault('wrong', `${issuer}: ${String(code ?? name)}: ${chainOf(thrown)}`);
};

const awayCodes: readonly unknown[] = [
  ...['OAUTH_TIMEOUT', 'OAUTH_ABORT', 'ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['ETIMEDOUT', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT'],
];

const isAway = (thrown: unknown, depth = 0): boolean => {
  if (typeof thrown !== 'object' || thrown === null || depth > 4) {
    return false;
  }
  const {code, name, status, cause} = thrown as Thrown;
  return (
    awayCodes.includes(code) ||
    name === 'TimeoutError' ||
    (typeof status === 'number' && status >= 500) ||
    (thrown instanceof TypeError && thrown.message === 'fetch failed') ||
    isAway(cause, depth + 1)
  );
};

/** The messages of errors alone: a cause that is none may hold a whole answer. */
const chainOf = (thrown: unknown): string => {
  const messages: string[] = [];
  for (let error = thrown; error instanceof Error && messages.length < 4; error = error.cause) {
    messages.push(error.message);
  }
  return messages.join(': ').slice(0, 300);
};
