/**
Settings: where the API is and with which key.

In: the environment, and `.sluice/dev.json` of the current folder, which `npm start` writes. Out: URL and admin key.
The environment goes before the file; the file's key is sent to the file's URL only.
*/
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {Failure} from './failure.ts';

export type Settings = Readonly<{url: string; adminKey: string}>;
type Environment = Readonly<Record<string, string | undefined>>;

const file = join('.sluice', 'dev.json');

export const readSettings = (environment: Environment, folder: string): Settings => {
  const {SLUICE_URL: givenUrl, SLUICE_ADMIN_KEY: givenKey} = environment;
  const written = givenUrl && givenKey ? undefined : readFile(join(folder, file));
  const url = givenUrl || written?.url;
  if (!url) {
    throw new Failure(
      'usage',
      `no server: set SLUICE_URL and SLUICE_ADMIN_KEY, or run this where npm start wrote ${file}`,
    );
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new Failure('usage', `SLUICE_URL: expected an http or https URL, got "${url}"`);
  }
  const base = withoutSlash(url);
  const adminKey =
    givenKey || (base === withoutSlash(written?.url ?? '') ? written?.adminKey : undefined);
  if (!adminKey) {
    throw new Failure('usage', `no key for ${base}: set SLUICE_ADMIN_KEY`);
  }
  if (!/^[\x21-\x7e]+$/.test(adminKey)) {
    throw new Failure('usage', 'SLUICE_ADMIN_KEY: expected visible ASCII characters only');
  }
  return {url: base, adminKey};
};

const withoutSlash = (url: string) => url.replace(/\/+$/, '');

/** Undefined when there is none. */
const readFile = (path: string): Partial<Settings> | undefined => {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw new Failure('usage', `${path} cannot be read: ${(error as Error).message}`, error);
  }
  try {
    const {url, adminKey} = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(typeof url === 'string' ? {url} : {}),
      ...(typeof adminKey === 'string' ? {adminKey} : {}),
    };
  } catch (error) {
    throw new Failure('usage', `${path} is not JSON; npm start writes it anew`, error);
  }
};
