/**
Context command: `sluice context list|current|set|use|delete`: names for servers, with their keys.

A key is never shown again. One that a command prints (a vault, a keyring) is asked for when it is needed and kept nowhere.
*/
import type {Command} from 'commander';
import type {Surroundings} from './program.ts';
import {
  configFile,
  contextIn,
  readConfigFile,
  type ServerContext,
  writeConfigFile,
} from './shell/config.ts';
import {type Context, type Format, showItem, showList, withFormat} from './shell/context.ts';
import {Failure} from './shell/failure.ts';
import {maskKey} from './shell/mask.ts';
import {checkKey, checkUrl} from './shell/settings.ts';
import type {Column} from './shell/table.ts';

type SetOptions = Format &
  Readonly<{url?: string; keyStdin?: boolean; keyCommand?: string; use?: boolean}>;

const columns: readonly Column[] = [
  {name: 'current', value: ({current}) => (current ? '*' : '')},
  {name: 'name'},
  {name: 'url'},
  {name: 'key'},
];
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export const contextCommand = (
  program: Command,
  context: Context,
  {environment, read}: Pick<Surroundings, 'environment' | 'read'>,
) => {
  const group = program.command('context').description('names for servers, with their keys');
  const file = () => {
    const found = configFile(environment);
    if (found === undefined) {
      throw new Failure('usage', 'no place for contexts: set SLUICE_CONFIG or HOME');
    }
    return found;
  };
  const existing = (name: string) => {
    const config = readConfigFile(file());
    const found = contextIn(config, name);
    if (!found) {
      throw new Failure(
        'notFound',
        `there is no context "${name}"; sluice context list shows them`,
      );
    }
    return {config, found};
  };
  const save = (config: Parameters<typeof writeConfigFile>[1]) => {
    if (!context.globals().dryRun) {
      writeConfigFile(file(), config);
    }
  };
  const tell = (text: string) =>
    context.err(`${context.globals().dryRun ? 'it is not done: ' : ''}${text}\n`);

  withFormat(group.command('list', {isDefault: true}))
    .description('all contexts; of keys only their beginnings')
    .action((format: Format) => {
      const {current, contexts} = readConfigFile(file());
      const items = Object.entries(contexts)
        .sort(([one], [other]) => one.localeCompare(other))
        .map(([name, found]) => shown(name, found, name === current));
      showList(context, format, {columns, items, answer: {data: items}});
    });

  withFormat(group.command('current'))
    .description('the context that is used where nothing else is said')
    .action((format: Format) => {
      const {current} = readConfigFile(file());
      if (current === undefined) {
        throw new Failure('notFound', 'no context is chosen: sluice context use NAME');
      }
      const item = shown(current, existing(current).found, true);
      showItem(context, format, {columns: columns.slice(1), item});
    });

  withFormat(group.command('set <name>'))
    .description('makes a context, or changes it')
    .option('--url <url>', 'of the server')
    .option('--key-stdin', 'the key is read from standard input')
    .option('--key-command <command>', 'a command that prints the key, run when it is needed')
    .option('--use', 'and use it from now on')
    .action(async (name: string, {url: given, use, ...options}: SetOptions) => {
      if (!namePattern.test(name)) {
        throw new Failure('usage', `expected a name of letters, digits and . _ -, got "${name}"`);
      }
      const config = readConfigFile(file());
      const before = contextIn(config, name);
      const url = given ?? before?.url;
      if (url === undefined) {
        throw new Failure('usage', 'give --url');
      }
      const after = {url: checkUrl(url, '--url'), ...(await keyOf(options, url, before, read))};
      const contexts = {...config.contexts, [name]: after};
      const current = use || Object.keys(config.contexts).length === 0 ? name : config.current;
      save({...(current === undefined ? {} : {current}), contexts});
      tell(`context ${name} is ${after.url}${current === name ? ', and used' : ''}`);
    });

  group
    .command('use <name>')
    .description('uses a context from now on')
    .action((name: string) => {
      const {config, found} = existing(name);
      save({...config, current: name});
      tell(`${name} is used: ${found.url}`);
    });

  group
    .command('delete <name>')
    .description('forgets a context and its key')
    .action(async (name: string) => {
      const {config} = existing(name);
      await context.confirm(`forget the context ${name} and its key`);
      const {[name]: _, ...contexts} = config.contexts;
      save({...(config.current === name ? {} : config), contexts});
      tell(`${name} is forgotten`);
    });
};

const shown = (name: string, {url, key, keyCommand}: ServerContext, current: boolean) => ({
  name,
  url,
  key:
    key === undefined
      ? keyCommand === undefined
        ? ''
        : `printed by: ${keyCommand}`
      : maskKey(key),
  current,
});

/** A key that was for another server is not taken along. */
const keyOf = async (
  {keyStdin, keyCommand}: SetOptions,
  url: string,
  before: ServerContext | undefined,
  read: Surroundings['read'],
): Promise<Pick<ServerContext, 'key' | 'keyCommand'>> => {
  if (keyStdin && keyCommand !== undefined) {
    throw new Failure('usage', 'give --key-stdin or --key-command, not both');
  }
  if (keyCommand !== undefined) {
    return {keyCommand};
  }
  if (keyStdin) {
    return {key: checkKey(((await read?.()) ?? '').trim(), '--key-stdin')};
  }
  if (before === undefined || before.url !== url.replace(/\/+$/, '')) {
    throw new Failure('usage', 'give --key-stdin or --key-command');
  }
  return before.key === undefined ? {keyCommand: before.keyCommand as string} : {key: before.key};
};
