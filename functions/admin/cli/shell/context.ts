/**
Context: what every command has at hand: the client, made when it is first needed, the ways to write, what was said for all commands.
*/
import type {Command} from 'commander';
import type {Client, Item} from './client.ts';
import {Failure} from './failure.ts';
import type {Globals} from './globals.ts';
import type {Progress} from './progress.ts';
import type {Settings} from './settings.ts';
import {type Column, printable, textOf, toCsv, toFields, toTable} from './table.ts';

export type Context = Readonly<{
  client: () => Client;
  /** For another server than that of the settings. */
  clientAt: (settings: Settings) => Client;
  /** Where the server is. A failure where nothing says so. */
  settings: () => Settings;
  out: (text: string) => void;
  /** Nothing with --quiet. */
  err: (text: string) => void;
  colour: boolean;
  /** Of the command that runs. */
  globals: () => Globals;
  /** Shown to a person who waits. */
  progress: Progress;
  /** Asks whether it is meant, unless --yes says so; without a terminal it is a failure that says to give --yes. */
  confirm: (what: string) => Promise<void>;
  /** Done when the command has ended, however it did. */
  atEnd: (work: () => Promise<void>) => void;
}>;

export type Format = Readonly<{json?: boolean; csv?: boolean}>;

/** Adds what every command that answers has. */
export const withFormat = (command: Command): Command =>
  command.option('--json', 'print the answer as JSON').option('--csv', 'print the answer as CSV');

export const formatOf = ({globals}: Pick<Context, 'globals'>, {json, csv}: Format) => {
  const {output} = globals();
  const said = [json && 'json', csv && 'csv', output].filter(Boolean);
  if (new Set(said).size > 1) {
    throw new Failure('usage', 'give --json or --csv, not both');
  }
  return said[0] ?? 'table';
};

/** What has no id is told by its first column. */
const toIds = (columns: readonly Column[], items: readonly Item[]) =>
  items
    .map(item => `${printable(String(item.id ?? textOf(columns[0] as Column, item)))}\n`)
    .join('');

/** `answer` is what `--json` prints. */
export const showList = (
  context: Context,
  format: Format,
  {columns, items, answer}: {columns: readonly Column[]; items: readonly Item[]; answer: unknown},
) => {
  const {out, err, colour} = context;
  const output = formatOf(context, format);
  if (output === 'json') {
    out(`${JSON.stringify(answer)}\n`);
  } else if (output === 'csv') {
    out(toCsv(columns, items));
  } else if (context.globals().quiet) {
    out(toIds(columns, items));
  } else if (items.length === 0) {
    err('nothing\n');
  } else {
    out(toTable(columns, items, {colour}));
  }
};

/** With --quiet the id; of a key that is shown this once the key, because its id can be looked up later. */
export const showItem = (
  context: Context,
  format: Format,
  {columns, item}: {columns: readonly Column[]; item: Item},
) => {
  const {out, colour} = context;
  const output = formatOf(context, format);
  if (output === 'json') {
    out(`${JSON.stringify(item)}\n`);
  } else if (output === 'table' && context.globals().quiet) {
    // Of a budget `key` is the id of its owner.
    const isNewKey = /^s?sk-/.test(String(item.key));
    out(isNewKey ? `${item.key}\n` : toIds(columns, [item]));
  } else {
    out(output === 'csv' ? toCsv(columns, [item]) : toFields(columns, item, {colour}));
  }
};
