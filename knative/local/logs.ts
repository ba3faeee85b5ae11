/**
Logs: what a person sees of the lines that the functions write.

With `raw` every line passes as it is, for programs. Otherwise a JSON line becomes a short one, and only those at `level` or
above are shown; a line that is not JSON is something that went wrong before the log began, and is always shown.
*/
const ranks: Readonly<Record<string, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
};

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** What the short line says in other words, or what helps nobody on a terminal. */
const silent = new Set([
  'level',
  'time',
  'function',
  'name',
  'msg',
  'pid',
  'hostname',
  'trace',
  'userAgent',
  'client',
]);

/** Returns the text to print, or nothing. */
export const createLogView = ({raw, level}: {raw: boolean; level: Level}) =>
  function viewLine(name: string, line: string): string | undefined {
    if (raw) {
      return line;
    }
    const entry = parseEntry(line);
    if (entry === undefined) {
      return line.trim() === '' ? undefined : `${name}: ${line}`;
    }
    const said = String(entry.level);
    if ((ranks[said] ?? 0) < (ranks[level] as number)) {
      return undefined;
    }
    const details = Object.entries(entry)
      .filter(([key]) => !silent.has(key))
      .map(([key, value]) => `${key}=${short(value)}`);
    return [`${name}: ${said}`, entry.msg, ...details].filter(part => part !== undefined).join(' ');
  };

const parseEntry = (line: string): Record<string, unknown> | undefined => {
  if (!line.startsWith('{')) {
    return undefined;
  }
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    return typeof entry.level === 'string' ? entry : undefined;
  } catch {
    return undefined;
  }
};

const short = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) {
    return String(value);
  }
  const {type, message} = value as {type?: unknown; message?: unknown};
  return message === undefined ? JSON.stringify(value) : `${type ?? 'Error'}: ${message}`;
};
