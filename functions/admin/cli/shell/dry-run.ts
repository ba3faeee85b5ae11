/**
Dry run: what a call would change.

In: the call, and what is there now where the server can tell. Out: a description, for people or as JSON. Nothing is sent but reads.
*/
import {maskBody} from './mask.ts';

export type Change = Readonly<{before: unknown; after: unknown}>;
export type Described = Readonly<{
  dryRun: true;
  method: string;
  path: string;
  body?: unknown;
  /** By field. Absent: it is made anew, or nobody can tell. */
  changes?: Readonly<Record<string, Change>>;
  /** What would be taken away. */
  removes?: unknown;
}>;

/** Thrown in place of an answer: the command ends here, and well. */
export class DryRun extends Error {
  override readonly name = 'DryRun';
  readonly described: Described;

  constructor(described: Described) {
    super(`${described.method} ${described.path} is not sent`);
    this.described = described;
  }
}

type Item = Readonly<Record<string, unknown>>;

export const describe = (
  {method, path, body}: Readonly<{method: string; path: string; body?: object}>,
  now: Item | undefined,
): Described => ({
  dryRun: true,
  method,
  path,
  ...(body === undefined ? {} : {body: maskBody(body)}),
  ...(method === 'PATCH' && now && body ? {changes: changesOf(now, body as Item)} : {}),
  ...(method === 'DELETE' && now ? {removes: maskBody(now)} : {}),
});

const same = (left: unknown, right: unknown) => JSON.stringify(left) === JSON.stringify(right);

export const changesOf = (now: Item, body: Item): Record<string, Change> =>
  Object.fromEntries(
    Object.entries(body)
      .filter(([name, after]) => !same(now[name] ?? null, after ?? null))
      .map(([name, after]) => [
        name,
        {before: maskBody(now[name] ?? null), after: maskBody(after)},
      ]),
  );

export const describedText = ({method, path, body, changes, removes}: Described): string => {
  const lines = [`would send ${method} ${path}`];
  if (changes) {
    lines.push(
      ...Object.entries(changes).map(
        ([name, {before, after}]) =>
          `  ${name}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`,
      ),
      ...(Object.keys(changes).length === 0 ? ['  all of it is so already'] : []),
    );
  } else if (body !== undefined) {
    lines.push(
      ...JSON.stringify(body, null, 2)
        .split('\n')
        .map(line => `  ${line}`),
    );
  }
  if (removes) {
    lines.push(`  it takes away ${JSON.stringify(removes)}`);
  }
  return `${lines.join('\n')}\n`;
};
