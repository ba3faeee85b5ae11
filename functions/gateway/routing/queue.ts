/**
Queue: who waits for an endpoint of one model, and who is next.

In: what waits, by organisation. Out: the next one that fits: organisations take turns, in each the first comes first, so that an
organisation with a thousand waiting requests delays another's one by one request. When it is full, whoever has less than its
share takes the place of the newest of the organisation that has most.
*/
export type FairQueue<Item> = Readonly<{
  /** Whether it waits now; `evicted`: who had to leave for it. */
  offer(organisation: string, item: Item): Readonly<{isIn: boolean; evicted?: Item}>;
  /** Whether an offer would be taken. */
  takes(organisation: string): boolean;
  /** Takes the next out for which `fits` is true. */
  next(fits: (item: Item) => boolean): Item | undefined;
  remove(organisation: string, item: Item): boolean;
  /** How many go before one that comes now, at least. */
  ahead(organisation: string): number;
  size(): number;
  all(): Item[];
}>;

export const createFairQueue = <Item>({max}: {max: number}): FairQueue<Item> => {
  /** In the order of their turns: who had one goes to the end. No list in it is empty. */
  const lines = new Map<string, Item[]>();
  let size = 0;

  const shareOf = (organisation: string) =>
    Math.floor(max / (lines.size + (lines.has(organisation) ? 0 : 1)));
  const hasLessThanShare = (organisation: string) =>
    (lines.get(organisation)?.length ?? 0) < shareOf(organisation);

  const takeAt = (organisation: string, line: Item[], index: number) => {
    const [item] = line.splice(index, 1);
    size -= 1;
    if (line.length === 0) {
      lines.delete(organisation);
    }
    return item as Item;
  };

  const longest = () => {
    let found: [string, Item[]] | undefined;
    for (const entry of lines) {
      found = !found || entry[1].length > found[1].length ? entry : found;
    }
    return found;
  };

  const evict = (): Item | undefined => {
    const found = longest();
    return found && takeAt(found[0], found[1], found[1].length - 1);
  };

  const takes = (organisation: string) => max > 0 && (size < max || hasLessThanShare(organisation));

  return {
    takes,
    offer(organisation, item) {
      if (!takes(organisation)) {
        return {isIn: false};
      }
      const evicted = size < max ? undefined : evict();
      const line = lines.get(organisation);
      if (line) {
        line.push(item);
      } else {
        lines.set(organisation, [item]);
      }
      size += 1;
      return evicted === undefined ? {isIn: true} : {isIn: true, evicted};
    },
    next(fits) {
      for (const [organisation, line] of lines) {
        const index = line.findIndex(fits);
        if (index >= 0) {
          const item = takeAt(organisation, line, index);
          if (line.length > 0) {
            // Its turn is over. One whose requests all do not fit keeps its place.
            lines.delete(organisation);
            lines.set(organisation, line);
          }
          return item;
        }
      }
      return undefined;
    },
    remove(organisation, item) {
      const line = lines.get(organisation);
      const index = line?.indexOf(item) ?? -1;
      if (!line || index < 0) {
        return false;
      }
      takeAt(organisation, line, index);
      return true;
    },
    ahead(organisation) {
      const own = lines.get(organisation)?.length ?? 0;
      // A new organisation is behind one of each; who is there may be the next, and is behind as many of each as of its own.
      const turns = Math.max(own, 1);
      let count = own;
      for (const [name, line] of lines) {
        count += name === organisation ? 0 : Math.min(line.length, turns);
      }
      return count;
    },
    size: () => size,
    all: () => [...lines.values()].flat(),
  };
};
