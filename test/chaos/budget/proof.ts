/**
Proof: whether a storm met what a promise can break on. In: its findings. Out: what it did not meet; then it is green and proves
nothing. Pure.
*/
import type {Findings} from './judge.ts';

export const duplicatesLeast = 100;
export const chargedLeast = {numerator: 95n, denominator: 100n};

/** What a run must have met; each that it did not makes it prove nothing. */
export const unproved = ({
  books,
  budget,
  limit,
  struck,
  history,
  duplicates,
}: Findings): string[] => {
  const window = books.windows.find(one => one.budget === budget);
  const charged = (window?.spent ?? 0n) + (window?.overage ?? 0n);
  const met: readonly (readonly [string, boolean])[] = [
    [
      'a kill of a gateway with open holds',
      struck.some(({what, open = 0}) => what === 'kill -9 of a gateway' && open > 0),
    ],
    ['a fence with open holds', history.openFences > 0],
    ['a result after its unsettled', books.ledger.some(({entry}) => entry === 'correction')],
    [
      'a frozen process',
      struck.some(({what, open = 0}) => what === 'freeze of a gateway' && open > 0),
    ],
    [
      'a restart of PostgreSQL in mid-transaction',
      struck.some(({inTransaction}) => inTransaction === true),
    ],
    [`${duplicatesLeast} duplicates`, duplicates >= duplicatesLeast],
    [
      '95 % of the cap charged',
      charged * chargedLeast.denominator >= limit * chargedLeast.numerator,
    ],
  ];
  return met.filter(([, isMet]) => !isMet).map(([what]) => what);
};
