/**
Keepable: whether data can be stored and read again by everything that it will pass.

In: the data of an event. Out: what is wrong with it, without a word of it. PostgreSQL keeps no NUL and no half of a surrogate
pair, and every parser on the way has a depth at which it gives up.
*/
const depthMax = 100;

const isKeepableText = (text: string) => text.isWellFormed() && !text.includes('\0');

export const faultOfData = (data: unknown, depth = 0): string | undefined => {
  if (typeof data === 'string') {
    return isKeepableText(data) ? undefined : 'texts may not contain NUL or lone surrogates';
  }
  if (typeof data !== 'object' || data === null || data instanceof Uint8Array) {
    return undefined;
  }
  if (depth === depthMax) {
    return `data is nested at most ${depthMax} deep`;
  }
  if (!Array.isArray(data) && !Object.keys(data).every(isKeepableText)) {
    return 'names may not contain NUL or lone surrogates';
  }
  for (const value of Object.values(data)) {
    const fault = faultOfData(value, depth + 1);
    if (fault !== undefined) {
      return fault;
    }
  }
  return undefined;
};
