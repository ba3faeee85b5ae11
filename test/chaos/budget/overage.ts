/**
Overage: what was charged beyond the cover of a lease, and why that is allowed.

In: the books, the history. Out: each such charge with its reason, or without one. Pure.
*/
import type {Findings} from './judge.ts';

export type Overage = Readonly<{
  request: string;
  nanos: bigint;
  reason: 'frozen' | 'late result' | undefined;
}>;

/** Beyond the cap, and why: whose lease was fenced before its intent was written, or whose result came after its request was settled. */
export const overagesOf = ({
  books,
  history,
  budget,
}: Pick<Findings, 'books' | 'history' | 'budget'>): Overage[] => {
  const uncovered = new Set(
    history.lives.filter(life => life.uncovered).map(({request}) => request),
  );
  return books.ledger.flatMap(({request, entry, charges}) =>
    charges
      .filter(charge => charge.budget === budget && charge.overage > 0n)
      .map(({overage, hold}) => ({
        request,
        nanos: overage,
        reason:
          overage > hold
            ? undefined
            : entry === 'correction'
              ? ('late result' as const)
              : uncovered.has(request)
                ? ('frozen' as const)
                : undefined,
      })),
  );
};
