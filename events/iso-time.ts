/**
ISO time: an instant as RFC 3339 has it, the same text as `Date.prototype.toISOString` makes, which takes several times as long: within a
second only its last three digits change.

In: whole milliseconds since 1970. Out: the text.
*/

/** Of a few seconds, each at its place: the time of a request, of its deadline, of the log. */
const places = 16;
const seconds: number[] = Array.from({length: places}, () => Number.NaN);
const beginnings: string[] = Array.from({length: places}, () => '');

export const isoTime = (ms: number): string => {
  const second = Math.floor(ms / 1_000);
  const place = second % places;
  if (seconds[place] !== second) {
    beginnings[place] = new Date(second * 1_000).toISOString().slice(0, -4);
    seconds[place] = second;
  }
  const rest = ms - second * 1_000;
  const zeros = rest < 10 ? '00' : rest < 100 ? '0' : '';
  return `${beginnings[place]}${zeros}${rest}Z`;
};
