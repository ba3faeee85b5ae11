/**
CLI: runs `sluice` in this process against a server. In: its URL and key, more environment. Out: ways to run a command, and to write
what it printed without what is new at every run.
*/
import type {ExecutionContext} from 'ava';
import {runCli, type Surroundings} from '../../functions/admin/cli/program.ts';
import {adminKey, type Json, startAdmin} from './admin-server.ts';

export type Ran = Readonly<{code: number; out: string; err: string}>;

export const createCli = (
  surroundings: Partial<Surroundings> & Pick<Surroundings, 'environment'>,
) => {
  const run = async (...args: string[]): Promise<Ran> => {
    const written = {out: '', err: ''};
    const code = await runCli(args, {
      folder: '/nowhere',
      terminal: false,
      out: text => {
        written.out += text;
      },
      err: text => {
        written.err += text;
      },
      ...surroundings,
    });
    return {code, ...written};
  };
  const json = async (...args: string[]): Promise<Json> => {
    const {code, out, err} = await run(...args, '--json');
    if (code !== 0) {
      throw new Error(`sluice ${args.join(' ')} ended with ${code}: ${err}`);
    }
    return JSON.parse(out) as Json;
  };
  return {run, json};
};

export const startAdminWithCli = async (
  t: ExecutionContext,
  surroundings: Partial<Surroundings> = {},
) => {
  const admin = await startAdmin(t);
  const environment = {SLUICE_URL: admin.url, SLUICE_ADMIN_KEY: adminKey, HOME: '/nowhere'};
  return {admin, ...createCli({environment, ...surroundings})};
};

/** Each distinct match by a word and its number, in the order in which they come. */
const numbered = (text: string, pattern: RegExp, word: string): string => {
  const known = new Map<string, string>();
  return text.replace(pattern, match => {
    const name = known.get(match) ?? `${word}${known.size + 1}`;
    known.set(match, name);
    return name;
  });
};

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const publicId = /\b[a-z2-7]{16}\b/g;

/** Ids, instants, secrets and URLs as words, and runs of spaces as two, because the widths of columns follow them. */
export const normal = (text: string): string => {
  const withoutSecrets = text
    .replaceAll('\r\n', '\n')
    .replace(/(s?sk-)([a-z2-7]{16})-[A-Za-z0-9_-]{43}\b/g, '$1$2-SECRET')
    .replace(/#[A-Za-z0-9_-]{43}\b/g, '#TOKEN')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)/g, 'TIME')
    .replace(/\b\d{4}-\d\d-\d\d\b/g, 'DAY')
    .replace(/http:\/\/127\.0\.0\.1:\d+/g, 'URL');
  return numbered(numbered(withoutSecrets, uuid, 'ID'), publicId, 'PUBLIC').replace(/ {2,}/g, '  ');
};

/** As a shell splits it, with quotes and without anything else. */
const words = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    match => match[1] ?? match[2] ?? match[3] ?? '',
  );

const nowhere = '0192f0c1-7a00-7000-8000-00000000000f';

/**
Runs every line of a session that begins with `$ ` and writes what was printed under it, standard error with `! ` before each line, and
the exit code where it was not 0. `@ID3` is typed as the third id that was printed, `@none` as one that nothing has,
and of `names` each by its own.
*/
export const replay = async (
  run: (...args: string[]) => Promise<Ran>,
  session: string,
  names: Readonly<Record<string, string>> = {},
): Promise<{expected: string; actual: string}> => {
  const expected = `${session.trim()}\n`;
  const lines = expected.split('\n').filter(line => line.startsWith('$ '));
  const printed: string[] = [];
  for (const line of lines) {
    const ids = [...new Set(printed.join('\n').match(uuid) ?? [])].filter(id => id !== nowhere);
    const typed = line
      .slice(2)
      .replace(/@ID(\d+)/g, (_, number) => ids[number - 1] ?? 'no such id')
      .replaceAll('@none', nowhere)
      .replace(/@([a-z]+)/g, (whole, name) => names[name] ?? whole);
    const {code, out, err} = await run(...words(typed));
    const told = err.replace(/^(?=.)/gm, '! ');
    printed.push(`${out}${told}${code === 0 ? '' : `exit ${code}\n`}`);
  }
  // What was typed stays as it is.
  const shown = normal(printed.join('\u0000').replaceAll(nowhere, '@none')).split('\u0000');
  return {expected, actual: lines.map((line, index) => `${line}\n${shown[index]}`).join('\n')};
};
