/**
Context: what every command has at hand: the client, made when it is first needed, and the ways to write.
*/
import type {Command} from 'commander';
import type {Client, Item} from './client.ts';
import {Failure} from './failure.ts';
import {type Column, printable, textOf, toCsv, toFields, toTable} from './table.ts';

export type Context = Readonly<{
  client: () => Client;
  out: (text: string) => void;
  err: (text: string) => void;
  colour: boolean;
}>;

export type Format = Readonly<{json?: boolean; csv?: boolean; quiet?: boolean}>;

/** Adds what every command that answers has. */
export const withFormat = (command: Command): Command =>
  command
    .option('--json', 'print the answer as JSON')
    .option('--csv', 'print the answer as CSV')
    .option('-q, --quiet', 'print ids only');

const checkFormat = ({json, csv, quiet}: Format) => {
  if (json && csv) {
    throw new Failure('usage', 'give --json or --csv, not both');
  }
  if (quiet && (json || csv)) {
    throw new Failure('usage', 'give --quiet, --json or --csv, one of them');
  }
};

/** What has no id is told by its first column. */
const toIds = (columns: readonly Column[], items: readonly Item[]) =>
  items
    .map(item => `${printable(String(item.id ?? textOf(columns[0] as Column, item)))}\n`)
    .join('');

/** `answer` is what `--json` prints. */
export const showList = (
  {out, err, colour}: Context,
  format: Format,
  {columns, items, answer}: {columns: readonly Column[]; items: readonly Item[]; answer: unknown},
) => {
  checkFormat(format);
  if (format.json) {
    out(`${JSON.stringify(answer)}\n`);
  } else if (format.csv) {
    out(toCsv(columns, items));
  } else if (format.quiet) {
    out(toIds(columns, items));
  } else if (items.length === 0) {
    err('nothing\n');
  } else {
    out(toTable(columns, items, {colour}));
  }
};

export const showItem = (
  {out, colour}: Context,
  format: Format,
  {columns, item}: {columns: readonly Column[]; item: Item},
) => {
  checkFormat(format);
  if (format.json) {
    out(`${JSON.stringify(item)}\n`);
  } else if (format.quiet) {
    out(toIds(columns, [item]));
  } else {
    out(format.csv ? toCsv(columns, [item]) : toFields(columns, item, {colour}));
  }
};
