/** Duration: times as people write them. In: the option's name, a text such as 90d, 12h, 30m or 45s; 0. Out: seconds; else a failure that says what was expected. */
import {Failure} from './failure.ts';

const seconds = {s: 1, m: 60, h: 3_600, d: 86_400} as const;

export const durationSeconds = (name: string, text: string): number => {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  if (!match && text !== '0') {
    throw new Failure(
      'usage',
      `${name}: expected a time such as 90d, 12h, 30m or 45s, got "${text}"`,
    );
  }
  return match ? Number(match[1]) * seconds[match[2] as keyof typeof seconds] : 0;
};

/** When a thing ends: an instant as it is, or so long from now; undefined where nothing was said. */
export const expiryOf = (
  {expiresAt, expiresIn}: {expiresAt?: string | undefined; expiresIn?: string | undefined},
  nowMs: number = Date.now(),
): string | undefined => {
  if (expiresAt !== undefined && expiresIn !== undefined) {
    throw new Failure('usage', 'give --expires-at or --expires-in, not both');
  }
  return expiresIn === undefined
    ? expiresAt
    : new Date(nowMs + durationSeconds('--expires-in', expiresIn) * 1_000).toISOString();
};
