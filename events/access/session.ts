/**
Session: the cookie by which a person is known again, and the token that proves that a page of ours asks (CSRF).

In: the Cookie header. Out: the session's token, of which only a SHA-256 is stored. A browser sends cookies along with what any page
asks for; another site can neither read the CSRF token, nor send a header of its own without our leave.
*/
import {hash, randomBytes} from 'node:crypto';

/** `__Host-`: only over TLS, only this host, only from its root (RFC 6265bis, 4.1.3.2). Plain HTTP is for development. */
export const cookieNames = {secure: '__Host-sluice-session', plain: 'sluice-session'} as const;
export const csrfHeader = 'x-csrf-token';

const tokenPattern = /^[A-Za-z0-9_-]{43}$/;

export const makeSessionToken = (random: (bytes: number) => Buffer = randomBytes) =>
  random(32).toString('base64url');

export const hashToken = (token: string): Buffer => hash('sha256', token, 'buffer');

export const csrfTokenOf = (token: string): string => hash('sha256', `csrf ${token}`, 'base64url');

/**
The secure one where both came. The plain one does not count where the browser speaks TLS to the ingress (`forwardedProto`): any other
host of the domain can set a cookie of that name there, and log somebody in as somebody else.
*/
export const sessionTokenIn = (
  cookie: string | undefined,
  forwardedProto?: string | string[],
): string | undefined => {
  if (cookie === undefined) {
    return undefined;
  }
  const found = new Map(
    cookie.split(';').map(part => {
      const [name = '', value = ''] = part.trim().split('=', 2);
      return [name, value] as const;
    }),
  );
  const plain = /^https\b/i.test(String(forwardedProto)) ? undefined : found.get(cookieNames.plain);
  const token = found.get(cookieNames.secure) ?? plain;
  return token !== undefined && tokenPattern.test(token) ? token : undefined;
};
