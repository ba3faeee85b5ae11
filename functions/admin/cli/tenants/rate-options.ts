/**
Rate options: the limits that an organisation, a project and a key have, as options of a command and as columns.

In: options. Out: the fields of a body; `none` takes a limit away.
*/
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {numberOrNone} from '../shell/numbers.ts';
import type {Column} from '../shell/table.ts';

export type RateOptions = Readonly<{
  requests?: string;
  tokens?: string;
  parallel?: string;
  maxOutputTokens?: string;
}>;

export const withRates = (command: Command) =>
  command
    .option('--requests <number>', 'the most in a minute, or none')
    .option('--tokens <number>', 'the most in a minute, of prompt and answer, or none')
    .option('--parallel <number>', 'the most requests at once, or none');

export const withMaxOutput = (command: Command) =>
  withRates(command).option('--max-output-tokens <number>', 'the most of one request, or none');

/** `creating`: a limit that is not there yet cannot be taken away. */
export const toRates = (options: RateOptions, {creating = false} = {}) =>
  Object.fromEntries(
    (
      [
        ['requestsPerMinute', '--requests', options.requests],
        ['tokensPerMinute', '--tokens', options.tokens],
        ['parallelRequests', '--parallel', options.parallel],
        ['maxOutputTokens', '--max-output-tokens', options.maxOutputTokens],
      ] as const
    ).flatMap(([name, option, text]) => {
      const value = text === undefined ? null : numberOrNone(option, text);
      return text === undefined || (creating && value === null) ? [] : [[name, value]];
    }),
  ) as Readonly<Record<string, number | null>>;

const rate = (name: string, heading: string): Column => ({
  name,
  heading,
  value: (item: Item) => item[name] ?? 'none',
});

export const rateColumns: readonly Column[] = [
  rate('requestsPerMinute', 'requests a minute'),
  rate('tokensPerMinute', 'tokens a minute'),
  rate('parallelRequests', 'requests at once'),
];
export const maxOutputColumn = rate('maxOutputTokens', 'output tokens');

/** What was never said of an item takes no line of its page; CSV has the same columns always. */
export const told = (
  columns: readonly Column[],
  {csv}: {csv?: boolean | undefined},
  item: Item,
): readonly Column[] =>
  csv
    ? columns
    : columns.filter(({name, value}) => {
        const found = value ? value(item) : item[name];
        return found !== undefined && found !== null && found !== '';
      });
