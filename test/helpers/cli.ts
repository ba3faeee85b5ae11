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

const patterns: ReadonlyArray<readonly [RegExp, string]> = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'ID'],
  [/\bsk-[A-Za-z0-9_-]+/g, 'SECRET'],
  [/\bssk-[A-Za-z0-9_-]+/g, 'SECRET'],
  [/#[A-Za-z0-9_-]{43}\b/g, '#TOKEN'],
  [/http:\/\/127\.0\.0\.1:\d+/g, 'URL'],
];

/**
Ids, times, secrets and URLs as words, and runs of spaces as two, because widths follow them. `names` are written as they are named:
ids of the test, public ids.
*/
export const normal = (text: string, names: Readonly<Record<string, unknown>> = {}): string => {
  let written = text;
  for (const [name, value] of Object.entries(names)) {
    written = written.replaceAll(String(value), name);
  }
  for (const [pattern, word] of patterns) {
    written = written.replace(pattern, word);
  }
  return written.replace(/ {2,}/g, '  ');
};
