/**
Plan: who is killed when, drawn from a seed.

In: a seed, victims, how many kills and restarts of the broker are asked. Out: acts without end: those that are asked, the
restarts spread over them, then kills for as long as anybody wants them. The same seed gives the same acts.
*/
import {type Range, randomFrom} from '../random.ts';

export type Act = Readonly<
  | {kind: 'kill'; afterMs: number; victim: string}
  | {kind: 'restart'; afterMs: number; awayMs: number}
>;

export function* planOf({
  seed,
  victims,
  kills,
  restarts,
  everyMs,
  awayMs = [300, 1_500],
}: {
  seed: number;
  victims: readonly string[];
  kills: number;
  restarts: number;
  everyMs: Range;
  /** How long the broker is away. */
  awayMs?: Range;
}): Generator<Act, never> {
  const random = randomFrom(seed);
  const within = ([min, max]: Range) => Math.round(min + random() * (max - min));
  let left: string[] = [];
  for (let done = 0; ; done += 1) {
    for (let restart = 1; restart <= restarts; restart += 1) {
      if (done === Math.round((kills * restart) / (restarts + 1))) {
        yield {kind: 'restart', afterMs: within(everyMs), awayMs: within(awayMs)};
      }
    }
    // Nobody has a second turn before everybody had one.
    left = left.length > 0 ? left : [...victims];
    const [victim] = left.splice(Math.floor(random() * left.length), 1) as [string];
    yield {kind: 'kill', afterMs: within(everyMs), victim};
  }
}
