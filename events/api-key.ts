/**
API key: `sk-<publicId>-<secret>`, and `ssk-…` for a service key of the admin API. The public id finds the key and may be logged; of the secret only a hash is stored.

256 random bits need no slow hash: nobody can try them all, and a slow one would be the dearest step of the hot path.
*/
import {hash, randomBytes} from 'node:crypto';

export type ApiKey = Readonly<{publicId: string; secret: string}>;

const pattern = /^sk-([a-z2-7]{16})-([A-Za-z0-9_-]{43})$/;
const servicePattern = /^ssk-([a-z2-7]{16})-([A-Za-z0-9_-]{43})$/;
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** `text` is shown once, to who asked for the key. */
export const makeApiKey = (
  random: (bytes: number) => Buffer = randomBytes,
): ApiKey & {text: string} => {
  const publicId = Array.from(random(16), byte => alphabet[byte % 32]).join('');
  const secret = random(32).toString('base64url');
  return {publicId, secret, text: `sk-${publicId}-${secret}`};
};

export const makeServiceKey = (random?: (bytes: number) => Buffer): ApiKey & {text: string} => {
  const key = makeApiKey(random);
  return {...key, text: `s${key.text}`};
};

const parseAs =
  (form: RegExp) =>
  (text: string): ApiKey | undefined => {
    const found = form.exec(text);
    return found ? {publicId: found[1] as string, secret: found[2] as string} : undefined;
  };

/** Undefined when the text is no key of ours. */
export const parseApiKey = parseAs(pattern);
export const parseServiceKey = parseAs(servicePattern);

/** SHA-256 of the secret. By way of a text, which is made three times as fast as a buffer. */
export const hashSecret = (secret: string): Buffer =>
  Buffer.from(hash('sha256', secret, 'binary'), 'binary');
