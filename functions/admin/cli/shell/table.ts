/**
Table: rows for people, and for machines.

In: columns and items. Out: an aligned table, or CSV (RFC 4180). Values come from tenants and model servers, so control
characters, which could drive a terminal, are replaced in the table.
*/
import type {Item} from './client.ts';

export type Column = Readonly<{
  /** The field that is shown unless `value` says otherwise, and the heading of CSV. */
  name: string;
  /** For people; the name in words where absent. */
  heading?: string;
  value?: (item: Item) => unknown;
  /** For figures. */
  right?: boolean;
}>;

export const textOf = ({name, value}: Column, item: Item): string => {
  const found = value ? value(item) : item[name];
  return found === undefined || found === null ? '' : String(found);
};

export const toCsv = (columns: readonly Column[], items: readonly Item[]): string =>
  [
    columns.map(({name}) => quote(name)),
    ...items.map(item => columns.map(column => quote(textOf(column, item)))),
  ]
    .map(cells => `${cells.join(',')}\r\n`)
    .join('');

const quote = (text: string) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** `createdAt` is a name for machines. */
const headingOf = ({name, heading}: Column) =>
  heading ??
  name.replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
const bold = (text: string) => `\u001b[1m${text}\u001b[22m`;
export const printable = (text: string) => text.replace(/\p{Cc}/gu, '\u{fffd}');

export const toTable = (
  columns: readonly Column[],
  items: readonly Item[],
  {colour = false}: {colour?: boolean} = {},
): string => {
  const cells = items.map(item => columns.map(column => printable(textOf(column, item)) || '-'));
  const widths = columns.map((column, index) =>
    cells.reduce(
      (width, row) => Math.max(width, lengthOf(row[index] as string)),
      headingOf(column).length,
    ),
  );
  const line = (texts: readonly string[]) =>
    texts
      .map((text, index) => {
        const gap = ' '.repeat((widths[index] as number) - lengthOf(text));
        return columns[index]?.right ? gap + text : text + gap;
      })
      .join('  ')
      .trimEnd();
  const heading = line(columns.map(column => headingOf(column).toUpperCase()));
  return [colour ? bold(heading) : heading, ...cells.map(line)].map(text => `${text}\n`).join('');
};

/** One item, a field a line. */
export const toFields = (
  columns: readonly Column[],
  item: Item,
  {colour = false}: {colour?: boolean} = {},
): string => {
  const width = Math.max(...columns.map(column => headingOf(column).length));
  return columns
    .map(column => {
      const name = headingOf(column).padEnd(width);
      return `${colour ? bold(name) : name}  ${printable(textOf(column, item)) || '-'}\n`;
    })
    .join('');
};

const lengthOf = (text: string) => [...text].length;
