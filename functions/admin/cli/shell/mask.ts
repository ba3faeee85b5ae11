/**
Mask: what is shown of a secret: enough to know which one it is.

In: a text or a body. Out: the same without secrets.
*/
const keyPattern = /\b(s?sk-[a-z2-7]{4})[a-z2-7]{12}-[A-Za-z0-9_-]{43}/g;
const namePattern = /secret|password|passphrase|token$|apikey|adminkey|authorization|cookie/i;

export const maskText = (text: string): string => text.replaceAll(keyPattern, '$1…');

/** The beginning of a key, which names it; nothing of what is too short to have one. */
export const maskKey = (key: string): string => {
  const masked = maskText(key);
  return masked === key ? (key.length >= 16 ? `${key.slice(0, 4)}…` : '…') : masked;
};

export const maskBody = (value: unknown): unknown => {
  if (typeof value === 'string') {
    return maskText(value);
  }
  if (Array.isArray(value)) {
    return value.map(maskBody);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      typeof item === 'string' && namePattern.test(name) ? '…' : maskBody(item),
    ]),
  );
};
