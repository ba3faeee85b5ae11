/**
Settings: where the API is and with which key.

In: what was typed, the environment, the contexts of the configuration, and `.sluice/dev.json` of the current folder, which
`npm start` writes; the first that says a URL is taken. Out: URL and key. A key is sent to its own URL only, wherever it stands.
*/
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {isIP} from 'node:net';
import {join} from 'node:path';
import type {Token} from '../../client/client.ts';
import {
  configFile,
  contextIn,
  type Environment,
  isOpenToOthers,
  readConfigFile,
  type ServerContext,
} from './config.ts';
import {Failure} from './failure.ts';

export type Settings = Readonly<{
  url: string;
  token: Token;
  /** Where the URL and the key were found. */
  from: string;
  warnings: readonly string[];
}>;
export type Wanted = Readonly<{context?: string; url?: string}>;
/** A URL with its key; without a URL the key is for whatever server the options, the environment or a context say. */
type Source = Readonly<{from: string; url?: string; key?: string; keyCommand?: string}>;

const file = join('.sluice', 'dev.json');
const keyCommandMs = 60_000;

export const readSettings = (
  environment: Environment,
  folder: string,
  wanted: Wanted = {},
): Settings => {
  const sources = sourcesOf(environment, folder, wanted);
  // A file that lies in a folder, whoever put it there, sends a key of the environment to no other machine.
  const saidBy = sources.find(one => one.url !== undefined);
  const given = wanted.url ?? saidBy?.url;
  if (given === undefined) {
    throw new Failure(
      'usage',
      `no server: set SLUICE_URL and SLUICE_ADMIN_KEY, make a context (sluice context set), or run this where npm start wrote ${file}`,
    );
  }
  const name = wanted.url === undefined ? 'SLUICE_URL' : '--url';
  const url = checkUrl(given, name);
  const source = sources.find(
    one =>
      (one.key !== undefined || one.keyCommand !== undefined) &&
      (one.url === undefined
        ? wanted.url !== undefined || saidBy?.from !== file || isLocal(url)
        : withoutSlash(one.url) === url),
  );
  if (!source) {
    throw new Failure('usage', `no key for ${url}: set SLUICE_ADMIN_KEY`);
  }
  return {
    url,
    token: tokenOf(source, environment),
    from: source.from,
    warnings: warningsOf(url, environment),
  };
};

const sourcesOf = (environment: Environment, folder: string, wanted: Wanted): Source[] => {
  const {SLUICE_URL: url, SLUICE_ADMIN_KEY: key, SLUICE_CONTEXT: named} = environment;
  const isSaid = Boolean(url && key) && wanted.context === undefined && wanted.url === undefined;
  const ofEnvironment: Source = {
    from: 'the environment',
    ...(url ? {url} : {}),
    ...(key ? {key} : {}),
  };
  if (isSaid) {
    return [ofEnvironment];
  }
  const config = readConfigFile(configFile(environment));
  const contextOf = (name: string | undefined): Source[] => {
    if (name === undefined) {
      return [];
    }
    const found: ServerContext | undefined = contextIn(config, name);
    if (!found) {
      const names = Object.keys(config.contexts).join(', ') || 'none yet';
      throw new Failure('usage', `there is no context "${name}"; there is ${names}`);
    }
    return [{from: `the context ${name}`, ...found}];
  };
  // A server that is named by its URL is asked with whatever key is for that URL.
  const others =
    wanted.url === undefined
      ? []
      : Object.entries(config.contexts).map(([name, one]) => ({
          from: `the context ${name}`,
          ...one,
        }));
  return [
    ...contextOf(wanted.context),
    ofEnvironment,
    ...contextOf(named || config.current),
    ...others,
    ...readFile(join(folder, file)),
  ];
};

export const checkUrl = (url: string, name: string): string => {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new Failure('usage', `${name}: expected an http or https URL, got "${url}"`);
  }
  return withoutSlash(url);
};

const withoutSlash = (url: string) => url.replace(/\/+$/, '');

/** A header can carry it. */
export const checkKey = (key: string, name: string): string => {
  if (!/^[\x21-\x7e]+$/.test(key)) {
    throw new Failure('usage', `${name}: expected visible ASCII characters only`);
  }
  return key;
};

/** A command is asked when its key is needed first, and once. */
const tokenOf = ({from, key, keyCommand}: Source, environment: Environment): Token => {
  if (key !== undefined) {
    return checkKey(key, from === 'the environment' ? 'SLUICE_ADMIN_KEY' : from);
  }
  let found: string | undefined;
  return () => {
    found ??= runKeyCommand(keyCommand as string, from, environment);
    return found;
  };
};

const runKeyCommand = (command: string, from: string, environment: Environment): string => {
  const {status, stdout, error} = spawnSync(command, {
    shell: true,
    env: environment as NodeJS.ProcessEnv,
    stdio: ['inherit', 'pipe', 'inherit'],
    encoding: 'utf8',
    timeout: keyCommandMs,
  });
  if (status !== 0) {
    const reason = error?.message ?? `it ended with ${status}`;
    throw new Failure('usage', `${from}: the command that prints the key failed: ${reason}`);
  }
  return checkKey(stdout.trim(), `${from}: what its command prints`);
};

const warningsOf = (url: string, environment: Environment): string[] => {
  const warnings: string[] = [];
  if (new URL(url).protocol === 'http:' && !isLocal(url)) {
    warnings.push(`${url} is not encrypted: whoever is on the way can read the key`);
  }
  const config = configFile(environment);
  if (config !== undefined && isOpenToOthers(config)) {
    warnings.push(`${config} can be read by others: chmod 600 ${config}`);
  }
  return warnings;
};

export const isLocal = (url: string) => {
  const bare = new URL(url).hostname.replace(/^\[|\]$/g, '');
  return (
    bare === 'localhost' ||
    bare.endsWith('.localhost') ||
    bare === '::1' ||
    (isIP(bare) === 4 && bare.startsWith('127.'))
  );
};

/** None when there is no such file. */
const readFile = (path: string): Source[] => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return [];
    }
    throw new Failure('usage', `${path} cannot be read: ${(error as Error).message}`, error);
  }
  try {
    const {url, adminKey} = JSON.parse(text) as Record<string, unknown>;
    return typeof url === 'string'
      ? [{from: file, url, ...(typeof adminKey === 'string' ? {key: adminKey} : {})}]
      : [];
  } catch (error) {
    throw new Failure('usage', `${path} is not JSON; npm start writes it anew`, error);
  }
};
