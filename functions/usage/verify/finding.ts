/**
Finding: what `verify` has to say, and how it is gathered without an end.

A finding is `broken` when a promise is: what was charged, recorded, held or counted does not agree and no known reason is left.
Otherwise it is a note. The first of each kind are kept in full, the others are counted.
*/
export const checks = ['requests', 'sums', 'windows', 'engines'] as const;
export type Check = (typeof checks)[number];

export type Finding = Readonly<{
  check: Check;
  /** What is wrong, as one word with dashes: the same word, the same cause. */
  kind: string;
  broken: boolean;
  /** A request, a window, an endpoint: what to look up. */
  subject: string;
  org?: string;
  model?: string;
  /** The beginning of an hour or of a span between two looks at an endpoint. */
  from?: string;
  /** What was compared, side by side. Money is a decimal text in USD. */
  values: Readonly<Record<string, string>>;
}>;

export type Kind = Readonly<{check: Check; kind: string; broken: boolean; count: number}>;

export const createFindings = (firstMax: number) => {
  const counts = new Map<string, {kind: Kind; first: Finding[]}>();
  return {
    add(finding: Finding, count = 1) {
      const {check, kind, broken} = finding;
      const name = `${check}/${kind}`;
      const entry = counts.get(name) ?? {kind: {check, kind, broken, count: 0}, first: []};
      if (entry.first.length < firstMax) {
        entry.first.push(finding);
      }
      counts.set(name, {...entry, kind: {...entry.kind, count: entry.kind.count + count}});
    },
    /** Broken promises first. */
    kinds: (): Kind[] => sorted(counts).map(({kind}) => kind),
    first: (): Finding[] => sorted(counts).flatMap(({first}) => first),
    isBroken: () => [...counts.values()].some(({kind}) => kind.broken),
  };
};

const sorted = <Entry extends {kind: Kind}>(counts: ReadonlyMap<string, Entry>): Entry[] =>
  [...counts.values()].sort(
    ({kind: a}, {kind: b}) =>
      Number(b.broken) - Number(a.broken) || checks.indexOf(a.check) - checks.indexOf(b.check),
  );

export type Findings = ReturnType<typeof createFindings>;
