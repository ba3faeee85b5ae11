/**
Terms: what a storm is about: the cap, prices, and short lives, so that what takes minutes in production takes seconds here.

A price that makes a request cost some tenths of a cent, and a maximum that holds several times that: so the cap is under pressure
from the first second. No price is round: a cost that was computed in floating point shows in its last digit.
*/
export const gatewayCount = 4;
export const partitions = 24;

export const lives = {
  leaseTtlMs: 2_500,
  requestMs: 5_000,
  unsettledGraceMs: 1_000,
  /** As `events/limits.ts`: a lease is fenced when it is past its end by this share of its life. */
  fenceAfterShare: 0.25,
} as const;

/** Nano-USD. */
export const capNanos = (usd: number) => Math.round(usd * 1_000_000_000);

export type ModelTerms = Readonly<{
  name: string;
  inputPerMillion: number;
  outputPerMillion: number;
  usage: 'every-chunk' | 'last-chunk';
  /** What it generates when nobody stops it. */
  tokens: number;
  tokenDelayMs: number;
}>;

export const models: readonly ModelTerms[] = [
  {
    name: 'storm-a',
    inputPerMillion: 10_000_373_777,
    outputPerMillion: 100_000_777_373,
    usage: 'every-chunk',
    tokens: 36,
    tokenDelayMs: 60,
  },
  {
    name: 'storm-b',
    inputPerMillion: 7_000_191_919,
    outputPerMillion: 80_000_919_191,
    usage: 'last-chunk',
    tokens: 48,
    tokenDelayMs: 45,
  },
];

/** Asked for at most: what is held is about five times what is generated. */
export const maxTokens = {least: 140, most: 260} as const;

/** Of the project's budget in tokens: far more than the cap in US dollars can buy. */
export const tokenLimit = 50_000_000;
