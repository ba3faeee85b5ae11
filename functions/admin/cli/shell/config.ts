/**
Config: the contexts of `sluice context`, in one file: for each a URL, and its key or a command that prints it.

In: the environment, which says where the file is. Out: what is in it; and ways to write it, readable by its owner alone.
*/
import {chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {Failure} from './failure.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
export type ServerContext = Readonly<{url: string; key?: string; keyCommand?: string}>;
export type Config = Readonly<{
  current?: string;
  contexts: Readonly<Record<string, ServerContext>>;
}>;

/** What every object has is no context: by that name another server would be asked. */
export const contextIn = ({contexts}: Config, name: string): ServerContext | undefined =>
  Object.hasOwn(contexts, name) ? contexts[name] : undefined;

/** Undefined where nobody has a home. */
export const configFile = ({
  SLUICE_CONFIG: given,
  XDG_CONFIG_HOME: configHome,
  HOME: home,
}: Environment): string | undefined => {
  const folder = configHome || (home && join(home, '.config'));
  return given || (folder ? join(folder, 'sluice', 'config.json') : undefined);
};

export const readConfigFile = (file: string | undefined): Config => {
  if (file === undefined) {
    return {contexts: {}};
  }
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
      return {contexts: {}};
    }
    throw new Failure('usage', `${file} cannot be read: ${(error as Error).message}`, error);
  }
  try {
    return checked(JSON.parse(text));
  } catch (error) {
    throw new Failure(
      'usage',
      `${file} is no configuration of Sluice: ${(error as Error).message}`,
    );
  }
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const checked = (value: unknown): Config => {
  if (!isObject(value) || !isObject(value.contexts)) {
    throw new Error('expected {"current": NAME, "contexts": {NAME: {"url": URL}}}');
  }
  for (const [name, context] of Object.entries(value.contexts)) {
    if (!isObject(context) || typeof context.url !== 'string') {
      throw new Error(`the context ${name} has no url`);
    }
  }
  return {
    ...(typeof value.current === 'string' ? {current: value.current} : {}),
    contexts: value.contexts as Config['contexts'],
  };
};

/** Others may read it: worth a warning, as ssh gives one. Windows has no such bits. */
export const isOpenToOthers = (file: string): boolean => {
  try {
    return process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0;
  } catch {
    return false;
  }
};

/** Whole or not at all, and never readable by others, not even for a moment. */
export const writeConfigFile = (file: string, config: Config) => {
  mkdirSync(dirname(file), {recursive: true, mode: 0o700});
  const fresh = `${file}.${process.pid}`;
  writeFileSync(fresh, `${JSON.stringify(config, null, 2)}\n`, {mode: 0o600});
  chmodSync(fresh, 0o600);
  renameSync(fresh, file);
};
