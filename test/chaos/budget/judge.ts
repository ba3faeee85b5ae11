/**
Judge: which promises a storm has broken. Whether it met enough to prove that they hold is in `proof.ts`.

In: what clients saw, the log's history, the books, what was struck, duplicates. Out: complaints, each a broken promise. Pure.
*/

import type {Books, Entry} from './books.ts';
import type {Outcome} from './call.ts';
import {costOf} from './cost.ts';
import type {History} from './history.ts';
import {overagesOf} from './overage.ts';
import type {FalseRefusals} from './refusals.ts';
import type {Struck} from './strike.ts';

export type Findings = Readonly<{
  limit: bigint;
  budget: string;
  outcomes: readonly Outcome[];
  books: Books;
  history: History;
  refusals: FalseRefusals;
  struck: readonly Struck[];
  duplicates: number;
  /** What was still under way when the drain gave up. */
  undrained: readonly string[];
  /** How a restored backup differs after its replay; undefined: it was not tried. */
  restored: readonly string[] | undefined;
}>;

const sumOf = <Item>(items: Iterable<Item>, amountOf: (item: Item) => bigint): bigint => {
  let sum = 0n;
  for (const item of items) {
    sum += amountOf(item);
  }
  return sum;
};

/** At most three of them: a broken rule breaks for many. */
const some = (what: string, cases: readonly string[]): string[] =>
  cases.length === 0 ? [] : [`${cases.length} ${what}: ${cases.slice(0, 3).join('; ')}`];

export type Settled = Readonly<{input: bigint; output: bigint; cost: bigint; millionths: bigint}>;

export const settledOf = (entries: readonly Entry[]): Settled => ({
  input: sumOf(entries, entry => entry.input),
  output: sumOf(entries, entry => entry.output),
  cost: sumOf(entries, entry => entry.cost),
  millionths: sumOf(entries, entry => entry.millionths),
});

/** A request is settled by its result, or by policy, and then a correction may follow. */
const isOneSettlement = (entries: readonly Entry[]) =>
  ['result', 'unsettled', 'correction,unsettled'].includes(
    entries
      .map(({entry}) => entry)
      .sort()
      .join(),
  );

/** Requests of which a client received a byte. */
export const receivedOf = (outcomes: readonly Outcome[]): Set<string> =>
  new Set(
    outcomes.filter(({status, bytes}) => status === 200 && bytes > 0).map(({request}) => request),
  );

const ofMoney = (findings: Findings): string[] => {
  const {books, budget, limit} = findings;
  const window = books.windows.find(one => one.budget === budget);
  const charged = (window?.spent ?? 0n) + (window?.overage ?? 0n);
  const overages = overagesOf(findings);
  const explained = sumOf(
    overages.filter(({reason}) => reason),
    ({nanos}) => nanos,
  );
  return [
    ...(charged > limit + explained
      ? [
          `${charged} nano-USD were charged, the cap is ${limit} and ${explained} have a reason to be beyond it`,
        ]
      : []),
    ...some(
      'costs are beyond the cap without a reason',
      overages
        .filter(({reason}) => reason === undefined)
        .map(({request, nanos}) => `${request}: ${nanos}`),
    ),
    ...books.windows.flatMap(({id, spent, overage, leased}) => {
      const entered = sumOf(books.ledger, ({charges}) =>
        sumOf(
          charges.filter(charge => charge.window === id),
          ({amount}) => amount,
        ),
      );
      return [
        ...(entered === spent + overage
          ? []
          : [`the ledger has ${entered} of a window, the window ${spent + overage}`]),
        ...(leased === 0n ? [] : [`${leased} stay leased for ever`]),
      ];
    }),
    ...some(
      'points of the log have more open and settled than a lease was granted',
      findings.history.overdrawn,
    ),
  ];
};

const ofRequests = ({books, outcomes, budget}: Findings): string[] => {
  const byRequest = Map.groupBy(books.ledger, ({request}) => request);
  const settled = new Map(
    [...byRequest].map(([request, entries]) => [request, settledOf(entries)]),
  );
  const received = [...receivedOf(outcomes)];
  const differs = [...settled].filter(([request, {input, output, cost}]) => {
    const record = books.records.get(request);
    return record && (record.input !== input || record.output !== output || record.cost !== cost);
  });
  return [
    ...some(
      'requests gave a client a byte and have no settlement',
      received.filter(request => !byRequest.has(request)),
    ),
    ...some(
      'requests are not settled exactly once',
      [...byRequest].filter(([, entries]) => !isOneSettlement(entries)).map(([request]) => request),
    ),
    ...some(
      'settled requests have no usage record',
      [...byRequest.keys()].filter(request => !books.records.has(request)),
    ),
    ...some(
      'usage records have no settlement',
      [...books.records.keys()].filter(request => !byRequest.has(request)),
    ),
    ...some(
      'usage records are doubled',
      [...books.records].filter(([, {times}]) => times !== 1n).map(([request]) => request),
    ),
    ...some(
      'usage records differ from the ledger',
      differs.map(([request]) => request),
    ),
    ...some(
      'costs are not what the tokens cost',
      [...settled]
        .filter(([, {cost, millionths}]) => cost !== costOf(millionths))
        .map(([request, {cost, millionths}]) => `${request}: ${cost}, not ${costOf(millionths)}`),
    ),
    ...some(
      'settlements charge the budget something else than their cost',
      books.ledger
        .filter(({charges, cost}) =>
          charges.some(charge => charge.budget === budget && charge.amount !== cost),
        )
        .map(({request}) => request),
    ),
    ...some('answers say another usage than was charged', misreported(outcomes, byRequest)),
  ];
};

/** Whole answers that were settled by their result: what the client was told is what it was charged. */
const misreported = (
  outcomes: readonly Outcome[],
  byRequest: ReadonlyMap<string, Entry[]>,
): string[] =>
  outcomes
    .filter(({usage, request}) => {
      const entries = byRequest.get(request) ?? [];
      const {input, output} = settledOf(entries);
      return (
        usage !== undefined &&
        entries.some(({entry, outcome}) => entry !== 'unsettled' && outcome === 'completed') &&
        (BigInt(usage.prompt_tokens) !== input || BigInt(usage.completion_tokens) !== output)
      );
    })
    .map(({request}) => request);

const ofSums = ({books}: Findings): string[] => {
  const records = [...books.records.values()];
  const wanted = {
    requests: BigInt(records.length),
    input: sumOf(records, one => one.input),
    output: sumOf(records, one => one.output),
    cost: sumOf(records, one => one.cost),
  };
  return (['hourly', 'daily'] as const).flatMap(name =>
    (['requests', 'input', 'output', 'cost'] as const)
      .filter(field => books[name][field] !== wanted[field])
      .map(
        field =>
          `the ${name} rollup says ${books[name][field]} of ${field}, the records ${wanted[field]}`,
      ),
  );
};

const dollars = (nanos: bigint) => (Number(nanos) / 1e9).toFixed(4);

const ofRefusals = ({refusals, struck}: Findings): string[] => {
  const began = Math.min(...struck.map(({atMs}) => atMs));
  return some(
    'spans of false refusals, outside of one lease life after a kill',
    refusals.broken.map(
      ({fromMs, toMs, refusals: count, freeNanos, boundNanos, unleasedNanos, gateways, leases}) =>
        `${count} in ${toMs - fromMs} ms, ${((fromMs - began) / 1_000).toFixed(1)} s after the first act, with $${dollars(freeNanos)} free ($${dollars(unleasedNanos)} of it leased to nobody), $${dollars(boundNanos)} allowed with ${gateways} gateways; leases: ${leases}`,
    ),
  );
};

export const judge = (findings: Findings): string[] => [
  ...findings.undrained.map(what => `still under way when all were back: ${what}`),
  ...ofMoney(findings),
  ...ofRequests(findings),
  ...ofSums(findings),
  ...ofRefusals(findings),
  ...(findings.books.deadLetters === 0 ? [] : [`${findings.books.deadLetters} dead letters`]),
  ...some('rows of a restored backup differ after its replay', findings.restored ?? []),
];
