/**
Target: where `sluice events send` sends, and with which key.

In: what was said of the server, the environment, the current folder, a file with a key. Out: a URL and an API key. The key is never
taken from the command line, which every process of the machine can read; the one of `.sluice/dev.json` goes to the URL in that file only,
and one of the environment to no other machine that nothing but this file names.
*/
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Surroundings} from '../program.ts';
import type {Context} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {checkKey, checkUrl, isLocal} from '../shell/settings.ts';
import type {Target} from './post.ts';

export type Environment = Surroundings['environment'];
export type Sending = Pick<Surroundings, 'environment' | 'folder' | 'read'>;

const file = join('.sluice', 'dev.json');

/** Without an admin key, too: a producer has none. */
const urlOf = ({globals, settings}: Context, {SLUICE_URL: given}: Environment) => {
  const {url, context} = globals();
  if (url !== undefined) {
    return {url: checkUrl(url, '--url'), isSaid: true};
  }
  if (given && context === undefined) {
    return {url: checkUrl(given, 'SLUICE_URL'), isSaid: true};
  }
  const found = settings();
  return {url: found.url, isSaid: found.from !== file || isLocal(found.url)};
};

export const targetOf = (
  context: Context,
  {environment, folder}: Sending,
  keyFile: string | undefined,
): Target => {
  const {url, isSaid} = urlOf(context, environment);
  const written = readWritten(join(folder, file));
  const apiKey =
    (keyFile === undefined ? isSaid && environment.SLUICE_API_KEY : readKey(keyFile)) ||
    (url === written.url?.replace(/\/+$/, '') ? written.apiKey : undefined);
  if (!apiKey) {
    throw new Failure('usage', `no API key for ${url}: set SLUICE_API_KEY or give --key-file`);
  }
  return {url, apiKey: checkKey(apiKey, 'the API key')};
};

const readKey = (path: string): string => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new Failure('usage', `${path} cannot be read: ${(error as Error).message}`, error);
  }
};

const readWritten = (path: string): {url?: string; apiKey?: string} => {
  try {
    const {url, apiKey} = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    return {
      ...(typeof url === 'string' ? {url} : {}),
      ...(typeof apiKey === 'string' ? {apiKey} : {}),
    };
  } catch {
    return {};
  }
};
