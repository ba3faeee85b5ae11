/**
Greeting: what is added once somebody has been greeted.

In: the greeting so far. Out: the greeting with the world in it, or nothing when there was none so far.
*/
export const nameCharactersMax = 100;
export const greetingCharactersMax = 200;

const suffix = 'Hello, world!';

export const greetWorld = (greeting: unknown): string | undefined => {
  if (typeof greeting !== 'string' || greeting === '' || !greeting.isWellFormed()) {
    return undefined;
  }
  const whole = `${greeting} ${suffix}`;
  return whole.length <= greetingCharactersMax ? whole : undefined;
};
