/**
Greeting: who can be greeted, and how.

In: a name as it came from outside. Out: the name, or nothing when it cannot be one; the greeting.
*/
export const nameCharactersMax = 100;

/** Control characters are no part of a name, and a lone surrogate cannot be stored. */
export const readName = (value: unknown): string | undefined =>
  typeof value === 'string' &&
  value.trim() !== '' &&
  value.length <= nameCharactersMax &&
  value.isWellFormed() &&
  !/\p{Cc}/u.test(value)
    ? value.trim()
    : undefined;

export const greet = (name: string): string => `Hello, ${name}!`;
