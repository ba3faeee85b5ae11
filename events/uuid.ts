/**
UUIDv7 (RFC 9562, 5.7): ids that carry their time, so that the same id always lands in the same month's partition.
*/
import {draw} from './random.ts';

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');

export const uuidv7 = (nowMs: number = Date.now()): string => {
  const random = draw(10);
  const time = hex(nowMs, 12);
  const a = (random.readUInt16BE(0) & 0x0f_ff) | 0x70_00;
  const b = (random.readUInt16BE(2) & 0x3f_ff) | 0x80_00;
  return `${time.slice(0, 8)}-${time.slice(8)}-${hex(a, 4)}-${hex(b, 4)}-${random.toString('hex', 4)}`;
};

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const isUuid = (text: unknown): text is string =>
  typeof text === 'string' && pattern.test(text);

/** Milliseconds since 1970 of a UUIDv7; undefined when it is none. */
export const timeOf = (id: string): number | undefined =>
  isUuid(id) && id[14] === '7' ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined;

/** The first day of the month, UTC, of a UUIDv7, as `2026-11-01`. */
export const monthOf = (id: string): string | undefined => {
  const time = timeOf(id);
  // 48 bits reach beyond the year 9999, which has another form.
  const day = time === undefined ? undefined : new Date(time).toISOString();
  return day?.startsWith('+') === false ? `${day.slice(0, 7)}-01` : undefined;
};
