/**
Cookies: how the session and a login that is under way are kept in a browser.

In: the public URL. Out: names and Set-Cookie texts. Over TLS their names begin with `__Host-`, so that no other host of the domain can
set or read them (RFC 6265bis, 4.1.3.2); over plain HTTP, which is for this machine alone, they cannot.
*/
import {cookieNames} from '../../../events/access/session.ts';

export type Cookies = Readonly<{
  session: string;
  login: string;
  set(name: string, value: string, maxAgeSeconds: number): string;
  clear(name: string): string;
}>;

export const createCookies = (publicUrl: string): Cookies => {
  const isSecure = publicUrl.startsWith('https:');
  const set = (name: string, value: string, maxAgeSeconds: number) =>
    `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}${isSecure ? '; Secure' : ''}`;
  return {
    session: isSecure ? cookieNames.secure : cookieNames.plain,
    login: isSecure ? '__Host-sluice-login' : 'sluice-login',
    set,
    clear: name => set(name, '', 0),
  };
};

/** The first of this name: a browser sends the one of the longest path first, and ours have the shortest. */
export const cookieIn = (header: string | undefined, name: string): string | undefined =>
  header
    ?.split(';')
    .map(part => part.trim())
    .find(part => part.startsWith(`${name}=`))
    ?.slice(name.length + 1);
