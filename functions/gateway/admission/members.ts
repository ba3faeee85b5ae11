/**
Members: where the top-level members of a JSON object stand in its bytes, and a body with some of them replaced.

A body is spliced, never written again: unknown fields, large integers, the order of keys and repeated keys reach the model
server byte for byte as the client sent them. The bytes must have passed JSON.parse before, so this only has to find
borders, not faults. A key written with escapes is found by what it means; of a repeated key every occurrence is replaced,
because which one counts depends on the reader.
*/
export type Member = Readonly<{
  key: string;
  keyStart: number;
  valueStart: number;
  valueEnd: number;
}>;

const quote = 0x22;
const backslash = 0x5c;

const isSpace = (byte: number | undefined) =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

const skipSpace = (bytes: Buffer, from: number) => {
  let at = from;
  while (isSpace(bytes[at])) {
    at += 1;
  }
  return at;
};

/** From an opening quote to behind the closing one. */
const skipString = (bytes: Buffer, from: number) => {
  let at = from + 1;
  for (;;) {
    at = bytes.indexOf(quote, at);
    if (at < 0) {
      return bytes.length;
    }
    let escapes = 0;
    while (bytes[at - 1 - escapes] === backslash) {
      escapes += 1;
    }
    at += 1;
    if (escapes % 2 === 0) {
      return at;
    }
  }
};

/** From the first byte of a value to behind its last. */
export const skipValue = (bytes: Buffer, from: number): number => {
  const first = bytes[from];
  if (first === quote) {
    return skipString(bytes, from);
  }
  let at = from;
  if (first !== 0x7b && first !== 0x5b) {
    while (
      at < bytes.length &&
      !isSpace(bytes[at]) &&
      bytes[at] !== 0x2c &&
      bytes[at] !== 0x7d &&
      bytes[at] !== 0x5d
    ) {
      at += 1;
    }
    return at;
  }
  let depth = 0;
  while (at < bytes.length) {
    const byte = bytes[at];
    if (byte === quote) {
      at = skipString(bytes, at);
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth -= 1;
    }
    at += 1;
    if (depth === 0) {
      return at;
    }
  }
  return at;
};

/** The members of an object that starts at `from`. */
export const membersOf = (bytes: Buffer, from = 0): Member[] => {
  const members: Member[] = [];
  let at = skipSpace(bytes, skipSpace(bytes, from) + 1);
  while (at < bytes.length && bytes[at] === quote) {
    const keyStart = at;
    const keyEnd = skipString(bytes, at);
    const raw = bytes.toString('utf8', keyStart, keyEnd);
    const valueStart = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1);
    const valueEnd = skipValue(bytes, valueStart);
    members.push({
      key: raw.includes('\\') ? JSON.parse(raw) : raw.slice(1, -1),
      keyStart,
      valueStart,
      valueEnd,
    });
    at = skipSpace(bytes, valueEnd);
    at = bytes[at] === 0x2c ? skipSpace(bytes, at + 1) : bytes.length;
  }
  return members;
};

/** The body with the given members set: replaced where they stand, put first where they do not. Values are JSON texts. */
export const splice = (
  bytes: Buffer,
  members: readonly Member[],
  set: Readonly<Record<string, string>>,
): Buffer => {
  const names = Object.keys(set);
  if (names.length === 0) {
    return bytes;
  }
  const parts: Buffer[] = [];
  const absent = new Set(names);
  const open = bytes.indexOf(0x7b) + 1;
  let copied = open;
  for (const {key, valueStart, valueEnd} of members) {
    const value = Object.hasOwn(set, key) ? set[key] : undefined;
    if (value !== undefined) {
      absent.delete(key);
      parts.push(bytes.subarray(copied, valueStart), Buffer.from(value));
      copied = valueEnd;
    }
  }
  parts.push(bytes.subarray(copied));
  const added = [...absent].map(key => `${JSON.stringify(key)}:${set[key]}`).join(',');
  const separator = added !== '' && members.length > 0 ? ',' : '';
  return Buffer.concat([bytes.subarray(0, open), Buffer.from(added + separator), ...parts]);
};
