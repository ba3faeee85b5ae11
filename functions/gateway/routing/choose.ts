/**
Choose: one of a model's endpoints for a request, by power of two choices.

In: what is known of each endpoint, and randomness. Out: one, or why none. Healthy before unknown; unhealthy ones only where there are no
others, not where the others are full. Of those in the best health with room two are drawn, and the one with less to do is taken: the
least of all would be everybody's choice at once, since what gateways know of each other's requests is a second old.
*/
export type Candidate = Readonly<{
  /** 0: healthy, 1: unknown, 2: unhealthy. */
  rank: 0 | 1 | 2;
  /** Requests there, as far as they are known. */
  load: number;
  hasRoom: boolean;
}>;

/** An index; `none`: nothing may be asked; `full`: nothing has room. */
export type Chosen = number | 'none' | 'full';

/** `undefined` in the list: not to be chosen (it was tried, or its circuit is open). */
export const choose = (
  candidates: readonly (Candidate | undefined)[],
  random: () => number,
): Chosen => {
  const best = bestRank(candidates);
  if (best === undefined) {
    return 'none';
  }
  const among: number[] = [];
  let rank = 2;
  for (const [index, candidate] of candidates.entries()) {
    if (!candidate?.hasRoom || (candidate.rank === 2 && best < 2)) {
      continue;
    }
    if (candidate.rank < rank) {
      rank = candidate.rank;
      among.length = 0;
    }
    if (candidate.rank === rank) {
      among.push(index);
    }
  }
  if (among.length === 0) {
    return 'full';
  }
  const [first, second] = drawTwo(among.length, random);
  const one = among[first] as number;
  const other = among[second] as number;
  return loadAt(candidates, other) < loadAt(candidates, one) ? other : one;
};

const loadAt = (candidates: readonly (Candidate | undefined)[], index: number) =>
  candidates[index]?.load ?? Number.POSITIVE_INFINITY;

const bestRank = (candidates: readonly (Candidate | undefined)[]) => {
  let best: Candidate['rank'] | undefined;
  for (const candidate of candidates) {
    if (candidate && (best === undefined || candidate.rank < best)) {
      best = candidate.rank;
    }
  }
  return best;
};

/** Two different ones of so many, in random order; of one, it twice. */
const drawTwo = (count: number, random: () => number): readonly [number, number] => {
  if (count === 1) {
    return [0, 0];
  }
  const first = Math.floor(random() * count);
  const second = Math.floor(random() * (count - 1));
  return [first, second >= first ? second + 1 : second];
};
