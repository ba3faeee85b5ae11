/**
Target: where `sluice events send` sends, and with which key.

In: the environment, the current folder, a file with a key. Out: a URL and an API key. The key is never taken from the command line,
which every process of the machine can read; the one of `.sluice/dev.json` goes to the URL in that file only.
*/
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {Failure} from '../failure.ts';
import type {Target} from './post.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const file = join('.sluice', 'dev.json');

export const targetOf = ({
  environment: {SLUICE_URL: givenUrl, SLUICE_API_KEY: givenKey},
  folder,
  keyFile,
}: {
  environment: Environment;
  folder: string;
  keyFile?: string | undefined;
}): Target => {
  const written = readWritten(join(folder, file));
  const url = givenUrl || written.url;
  if (!url) {
    throw new Failure(
      'usage',
      `no server: set SLUICE_URL, or run this where npm start wrote ${file}`,
    );
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new Failure('usage', `SLUICE_URL: expected an http or https URL, got "${url}"`);
  }
  const base = withoutSlash(url);
  const apiKey =
    (keyFile === undefined ? givenKey : readKey(keyFile)) ||
    (base === withoutSlash(written.url ?? '') ? written.apiKey : undefined);
  if (!apiKey) {
    throw new Failure('usage', `no API key for ${base}: set SLUICE_API_KEY or give --key-file`);
  }
  if (!/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new Failure('usage', 'the API key: expected visible ASCII characters only');
  }
  return {url: base, apiKey};
};

const withoutSlash = (url: string) => url.replace(/\/+$/, '');

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
