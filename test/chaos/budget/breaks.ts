/**
Breaks: the faults that a storm must find, each as the exact text that it takes the place of.

The product has no switches for them: `plant.ts` changes a source while it is loaded. A text that is not there any more is an error
at the start, so that a change of the product cannot make a break vanish.
*/
import {readFileSync} from 'node:fs';

export type Change = Readonly<{file: string; find: string; replace: string}>;

export const breaks = {
  /** A fence frees also what open requests hold. */
  'reap-frees-all': [
    {
      file: 'functions/budget/window.ts',
      find: 'most(lease.granted - lease.settled - lease.returned - lease.open, 0n)',
      replace: 'most(lease.granted - lease.settled - lease.returned, 0n)',
    },
  ],
  /** An event that comes again counts again: nobody looks into the ledger, and the ledger keeps silent. */
  'no-dedupe': [
    {
      file: 'functions/budget/settle.ts',
      find: '  if (settlement?.final) {',
      replace: '  if (settlement?.final && !data) {',
    },
    {
      file: 'functions/budget/store-postgres-write.ts',
      find: 'at, input, cached, output, cost, estimated, outcome, traceparent, charges)`,',
      replace:
        'at, input, cached, output, cost, estimated, outcome, traceparent, charges) on conflict do nothing`,',
    },
  ],
  /** A result that comes after its request was settled by policy is charged on top. */
  'settle-twice': [
    {
      file: 'functions/budget/charge.ts',
      find: 'hold: charge.hold, difference: -charge.amount}',
      replace: 'hold: charge.hold, difference: 0n}',
    },
    {
      file: 'functions/budget/charge.ts',
      find: 'costNanos: data.costNanos - before.costNanos,',
      replace: 'costNanos: data.costNanos,',
    },
    {
      file: 'functions/budget/charge.ts',
      find: 'inputTokens: data.inputTokens - before.inputTokens,',
      replace: 'inputTokens: data.inputTokens,',
    },
  ],
  /** What a request did not need goes back into its lease a quarter of a second before anybody can read its result. */
  'result-not-awaited': [
    {
      file: 'functions/gateway/exchange/ending.ts',
      find: '  parts.results.add(resultOf(facts, ending)).then(\n    () => {\n      taken.settle(amounts);',
      replace: `  taken.settle(amounts);
  new Promise(resolve => setTimeout(resolve, 250)).then(() => parts.results.add(resultOf(facts, ending))).then(
    () => {`,
    },
  ],
  /** Costs are reckoned in dollars, as floating point, and cut. */
  'float-money': [
    {
      file: 'events/price.ts',
      find: "            'half-even',\n            inputTokens - cachedInputTokens,\n            price.inputPerMillion,",
      replace:
        "            'dollars',\n            inputTokens - cachedInputTokens,\n            price.inputPerMillion,",
    },
    {
      file: 'events/price.ts',
      find: '  let sum = 0;\n  for (let index = 0; index < factors.length; index += 2) {\n    sum += (factors[index] as number) * (factors[index + 1] as number);\n  }\n',
      replace:
        '  let sum = 0;\n  for (let index = 0; index < factors.length; index += 2) {\n    sum += (factors[index] as number) * (factors[index + 1] as number);\n  }\n  if ((round as string) === "dollars") { return Math.trunc((sum / 1e15) * 1e9); }\n',
    },
  ],
} as const satisfies Record<string, readonly Change[]>;

export type BreakName = keyof typeof breaks;

export const breakNames = Object.keys(breaks) as BreakName[];

/** The source with every change of the break that is about this file. */
export const planted = (name: BreakName, file: string, source: string): string =>
  (breaks[name] as readonly Change[])
    .filter(change => change.file === file)
    .reduce((text, {find, replace}) => {
      if (text.split(find).length !== 2) {
        throw new Error(
          `the break ${name} wants to replace a text that is not once in ${file}:\n${find}`,
        );
      }
      return text.replace(find, () => replace);
    }, source);

const root = new URL('../../../', import.meta.url);

/** The changed sources by their URLs; throws when one of the texts is not there any more. */
export const plantedSources = (name: BreakName): Map<string, string> =>
  new Map(
    [...new Set(breaks[name].map(({file}) => file))].map(file => {
      const url = new URL(file, root);
      return [url.href, planted(name, file, readFileSync(url, 'utf8'))];
    }),
  );

/** Before anything is started for it. */
export const requirePlantable = (name: BreakName): void => {
  plantedSources(name);
};
