/**
CSV: RFC 4180, for people who open it in a spreadsheet.

In: values. Out: a line. A text that a spreadsheet would take for a formula (a client chooses its label, an operator a model's name)
gets an apostrophe before it; plain numbers stay numbers.
*/
const number = /^-?\d+(\.\d+)?$/;

const cell = (value: unknown): string => {
  const text = value === null || value === undefined ? '' : String(value);
  const safe = /^[=+\-@\t\r\n]/.test(text) && !number.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export const csvLine = (values: readonly unknown[]) => `${values.map(cell).join(',')}\r\n`;
