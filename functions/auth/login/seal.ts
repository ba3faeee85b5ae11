/**
Seal: a small text that a browser keeps for us and can neither read nor change (AES-256-GCM).

In: a secret of the deployment; what to keep, and how long. Out: a text for a cookie; or what was kept, undefined where it was changed,
is over, or was sealed with another secret or for another purpose.
*/
import {createCipheriv, createDecipheriv, hkdfSync, randomBytes} from 'node:crypto';

const ivBytes = 12;
const tagBytes = 16;

export type Seal = Readonly<{
  close(value: object, lifeMs: number): string;
  open(text: string): unknown;
}>;

export const createSeal = ({
  secret,
  purpose,
  now = Date.now,
}: {
  secret: string;
  purpose: string;
  now?: () => number;
}): Seal => {
  const key = Buffer.from(hkdfSync('sha256', secret, '', purpose, 32));
  const decrypt = (sealed: Buffer): string => {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes), {
      authTagLength: tagBytes,
    });
    decipher.setAuthTag(sealed.subarray(ivBytes, ivBytes + tagBytes));
    return (
      decipher.update(sealed.subarray(ivBytes + tagBytes), undefined, 'utf8') +
      decipher.final('utf8')
    );
  };
  return {
    close(value, lifeMs) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv('aes-256-gcm', key, iv, {authTagLength: tagBytes});
      const text = JSON.stringify({value, until: now() + lifeMs});
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
    },
    open(text) {
      try {
        const {value, until} = JSON.parse(decrypt(Buffer.from(text, 'base64url'))) as {
          value: unknown;
          until: number;
        };
        return until > now() ? value : undefined;
      } catch {
        return undefined;
      }
    },
  };
};
