/**
Seal: how an answer is kept, so that nobody reads it who has the store and not the key.

In: a key of 32 bytes, an answer, the claim that it belongs to. Out: AES-256-GCM: version, nonce, tag, ciphertext. The claim
is authenticated with it, so that an answer cannot be put under another's key; what cannot be opened (another key since, a
damaged byte) is as if it had not been kept.
*/
import {createCipheriv, createDecipheriv, randomBytes} from 'node:crypto';
import type {Reader} from '../../../events/config.ts';

export type Kept = Readonly<{request: string; contentType: string; body: Buffer}>;

export type Seal = Readonly<{
  seal(kept: Kept, context: string): Buffer;
  open(sealed: Buffer, context: string): Kept | undefined;
}>;

const algorithm = 'aes-256-gcm';
const version = 1;
const nonceLength = 12;
const tagLength = 16;
const newline = 0x0a;

/** Reads `RESULTS_KEY`: 32 random bytes in base64. */
export const resultsKey: Reader<Buffer> = text => {
  const key = Buffer.from(text ?? '', 'base64');
  if (key.length !== 32 || key.toString('base64').replace(/=+$/, '') !== text?.replace(/=+$/, '')) {
    throw new Error('expected 32 bytes in base64');
  }
  return key;
};

export const createSeal = (key: Buffer, nonce = () => randomBytes(nonceLength)): Seal => ({
  seal({request, contentType, body}, context) {
    const iv = nonce();
    const cipher = createCipheriv(algorithm, key, iv).setAAD(Buffer.from(context));
    const head = Buffer.from(`${JSON.stringify({request, contentType})}\n`);
    const text = Buffer.concat([cipher.update(head), cipher.update(body), cipher.final()]);
    return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), text]);
  },
  open(sealed, context) {
    if (sealed[0] !== version || sealed.length < 1 + nonceLength + tagLength) {
      return undefined;
    }
    const tagAt = 1 + nonceLength;
    const decipher = createDecipheriv(algorithm, key, sealed.subarray(1, tagAt))
      .setAAD(Buffer.from(context))
      .setAuthTag(sealed.subarray(tagAt, tagAt + tagLength));
    try {
      const text = Buffer.concat([
        decipher.update(sealed.subarray(tagAt + tagLength)),
        decipher.final(),
      ]);
      const end = text.indexOf(newline);
      return {...JSON.parse(text.toString('utf8', 0, end)), body: text.subarray(end + 1)};
    } catch {
      return undefined;
    }
  },
});
