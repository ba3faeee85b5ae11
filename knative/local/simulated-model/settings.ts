/**
Settings: what can be changed while the server runs, its defaults and bounds.

In: options as a caller gives them. Out: settings that are in range, or a TypeError that says what was expected.
*/
import {type Fault, isFault} from './faults.ts';
import type {UsageAbility} from './plan.ts';

export type Settings = Readonly<{
  /** From the request to the first token, or to the whole answer of an embedding. */
  firstTokenDelayMs: number;
  /** From one token to the next. */
  tokenDelayMs: number;
  /** Tokens of a completion that nothing cuts short. */
  defaultTokens: number;
  /** What the server can say about usage in a stream; a whole answer always has it. */
  usage: UsageAbility;
  /** The part of each prompt said to be cached, 0 to 1; 0 leaves the details out. */
  cachedPromptShare: number;
  faults: readonly Fault[];
  /** A client's header `x-simulate` adds faults of its own. */
  faultsByHeader: boolean;
  /** Paths that faults apply to. */
  faultPaths: readonly string[];
  /** Tokens before a mid-stream fault. */
  faultAfterTokens: number;
  slowHeadersMs: number;
}>;

export const defaultSettings: Settings = {
  firstTokenDelayMs: 0,
  tokenDelayMs: 0,
  defaultTokens: 32,
  usage: 'every-chunk',
  cachedPromptShare: 0,
  faults: [],
  faultsByHeader: false,
  faultPaths: [
    '/v1/chat/completions',
    '/v1/completions',
    '/v1/embeddings',
    '/v1/responses',
    '/v1/messages',
  ],
  faultAfterTokens: 3,
  slowHeadersMs: 1_000,
};

const delayMaxMs = 600_000;

const bounds = {
  firstTokenDelayMs: [0, delayMaxMs],
  tokenDelayMs: [0, delayMaxMs],
  slowHeadersMs: [0, delayMaxMs],
  defaultTokens: [1, 1_000_000],
  faultAfterTokens: [0, 1_000_000],
} as const;

const abilities: readonly string[] = ['every-chunk', 'last-chunk', 'none'] satisfies UsageAbility[];

/** Undefined options keep what was there. */
export const mergeSettings = (before: Settings, options: Partial<Settings>): Settings => {
  const given = Object.entries(options).filter(
    ([name, value]) => name in defaultSettings && value !== undefined,
  );
  const after: Settings = {...before, ...Object.fromEntries(given)};
  for (const [name, [minimum, maximum]] of Object.entries(bounds)) {
    const value = after[name as keyof typeof bounds];
    if (!Number.isSafeInteger(value) || value < minimum || value > maximum) {
      throw new TypeError(
        `${name} must be an integer from ${minimum} to ${maximum}, got ${value}.`,
      );
    }
  }
  if (!abilities.includes(after.usage)) {
    throw new TypeError(`usage must be one of ${abilities.join(', ')}, got ${after.usage}.`);
  }
  if (!(after.cachedPromptShare >= 0 && after.cachedPromptShare <= 1)) {
    throw new TypeError(`cachedPromptShare must be 0 to 1, got ${after.cachedPromptShare}.`);
  }
  const unknown = after.faults.filter(name => !isFault(name));
  if (unknown.length > 0) throw new TypeError(`There is no fault named ${unknown.join(', ')}.`);
  return after;
};
