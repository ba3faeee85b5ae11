/**
Provider keys: the public keys of an OpenID provider, found by its discovery document.

In: its issuer. Out: the issuer as it names itself, and its keys. They are kept for minutes; a key that is not among them is looked
for once a cooldown, so that tokens with made-up key ids cost the provider nothing. When it is away the keys that were read
count on for a while: they were true, and nothing says that they are not.
*/
import type {JSONWebKeySet} from 'jose';
import {SluiceError} from '../errors.ts';

export type Keys = Readonly<{issuer: string; jwks: JSONWebKeySet}>;
export type ProviderKeys = Readonly<{
  current(): Promise<Keys>;
  /** After a key was not among them; undefined: they were read too lately. */
  renewed(): Promise<Keys | undefined>;
}>;

const bytesMax = 256 * 1024;

const withoutSlash = (text: string) => text.replace(/\/+$/, '');

/** Providers and people disagree about the last slash; nothing else may differ. */
export const isSameIssuer = (one: string, other: string) =>
  withoutSlash(one) === withoutSlash(other);

export const createProviderKeys = ({
  issuer,
  now = () => performance.now(),
  freshMs = 600_000,
  staleMaxMs = 3_600_000,
  cooldownMs = 30_000,
  retryMs = 5_000,
  timeoutMs = 5_000,
}: {
  issuer: string;
  now?: () => number;
  /** So long they are not read again. */
  freshMs?: number;
  /** So long they count while the provider is away. */
  staleMaxMs?: number;
  /** Between two attempts to read them, and after one that failed. */
  cooldownMs?: number;
  retryMs?: number;
  /** Of one answer of the provider, whole; two make an attempt. */
  timeoutMs?: number;
}): ProviderKeys => {
  let known: (Keys & {readAt: number}) | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let failure: unknown;
  let pending: Promise<void> | undefined;

  const attempt = async () => {
    triedAt = now();
    try {
      known = {...(await readKeys(issuer, timeoutMs)), readAt: now()};
      failure = undefined;
    } catch (error) {
      failure = error;
    }
  };
  /** All who wait, wait for one attempt. */
  const renew = async () => {
    pending ??= attempt().finally(() => {
      pending = undefined;
    });
    await pending;
  };
  const mayTry = () =>
    pending !== undefined || now() - triedAt >= (failure === undefined ? cooldownMs : retryMs);

  return {
    async current() {
      if (known && now() - known.readAt < freshMs) {
        return known;
      }
      if (mayTry()) {
        await renew();
      }
      if (known && now() - known.readAt < staleMaxMs) {
        return known;
      }
      throw new SluiceError('unavailable', 'the identity provider cannot be reached; try again', {
        retryAfterSeconds: Math.ceil(retryMs / 1_000),
        cause: failure,
      });
    },
    async renewed() {
      if (!mayTry()) {
        return undefined;
      }
      await renew();
      return known;
    },
  };
};

const readKeys = async (issuer: string, timeoutMs: number): Promise<Keys> => {
  const found = await readDocument(
    `${withoutSlash(issuer)}/.well-known/openid-configuration`,
    timeoutMs,
  );
  const {issuer: named, jwks_uri: address} = found;
  if (typeof named !== 'string' || !isSameIssuer(named, issuer)) {
    throw new Error(`expected the discovery document of ${issuer}, got one of another issuer`);
  }
  if (typeof address !== 'string' || !isTrusted(address, issuer)) {
    throw new Error('expected jwks_uri to be https, or of the origin of the issuer');
  }
  const jwks = await readDocument(address, timeoutMs);
  if (!Array.isArray(jwks.keys)) {
    throw new Error('expected a set of keys at jwks_uri');
  }
  return {issuer: named, jwks: jwks as unknown as JSONWebKeySet};
};

/** Keys that come over plain HTTP from elsewhere are anybody's. */
const isTrusted = (address: string, issuer: string) =>
  URL.canParse(address) &&
  (new URL(address).protocol === 'https:' || new URL(address).origin === new URL(issuer).origin);

const readDocument = async (address: string, timeoutMs: number) => {
  const response = await fetch(address, {
    headers: {accept: 'application/json'},
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${address}: expected 200, got ${response.status}`);
  }
  const document: unknown = JSON.parse(await readText(response));
  if (typeof document !== 'object' || document === null) {
    throw new Error(`${address}: expected a JSON object`);
  }
  return document as Record<string, unknown>;
};

const readText = async (response: Response): Promise<string> => {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > bytesMax) {
      throw new Error(`${response.url}: expected at most ${bytesMax} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
};
