/**
Suggest: which word was meant.

In: what was typed, the words that there are. Out: the nearest that are near enough, nearest first.
*/
const distanceMax = 2;

export const suggest = (typed: string, words: readonly string[]): string[] =>
  words
    .map(word => ({word, distance: word.startsWith(typed) ? 0.5 : distanceOf(typed, word)}))
    .filter(({word, distance}) => distance <= Math.min(distanceMax, word.length / 2))
    .sort((one, other) => one.distance - other.distance)
    .map(({word}) => word);

/** Levenshtein's, and a swap of neighbours is one mistake. */
const distanceOf = (one: string, other: string): number => {
  const rows = Array.from({length: one.length + 1}, (_, row) => [
    row,
    ...new Array<number>(other.length).fill(0),
  ]);
  const at = (row: number, column: number) => rows[row]?.[column] ?? 0;
  for (let column = 0; column <= other.length; column += 1) {
    (rows[0] as number[])[column] = column;
  }
  for (let row = 1; row <= one.length; row += 1) {
    for (let column = 1; column <= other.length; column += 1) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwap =
        row > 1 &&
        column > 1 &&
        one[row - 1] === other[column - 2] &&
        one[row - 2] === other[column - 1];
      (rows[row] as number[])[column] = Math.min(
        at(row - 1, column) + 1,
        at(row, column - 1) + 1,
        at(row - 1, column - 1) + (isSame ? 0 : 1),
        isSwap ? at(row - 2, column - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
  }
  return at(one.length, other.length);
};
