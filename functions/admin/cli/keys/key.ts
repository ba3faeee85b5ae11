/**
Key: `sluice key create|list|show|update|rotate|revoke`, the API keys of a project. One is named by its id, its public id or its name.

The key itself is printed by `create` and `rotate`, once, on standard output.
*/
import type {Command} from 'commander';
import type {Client, Item} from '../shell/client.ts';
import {
  type Context,
  type Format,
  formatOf,
  showItem,
  showList,
  withFormat,
} from '../shell/context.ts';
import {durationSeconds} from '../shell/duration.ts';
import {Failure} from '../shell/failure.ts';
import {findKey, findProject, type Where} from '../shell/find.ts';
import {stateOf} from '../shell/state.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from '../tenants/org.ts';
import {maxOutputColumn, rateColumns, told} from '../tenants/rate-options.ts';
import {hasChange, type KeyOptions, toKeyFields, withKeyOptions} from './key-options.ts';

type Options = Format & Where;

const overlapMax = 30 * 86_400;

const allOr = (name: string, heading = name): Column => ({
  name: heading,
  value: item => (item[name] === undefined ? 'all' : (item[name] as string[]).join(', ')),
});
const listColumns: readonly Column[] = [
  {name: 'publicId'},
  {name: 'name'},
  {name: 'project', value: item => item.projectName ?? item.project},
  {name: 'state', value: stateOf},
  allOr('models'),
  {name: 'expiresAt'},
  {name: 'lastUsedAt'},
  {name: 'id'},
];
const itemColumns: readonly Column[] = [
  {name: 'id'},
  {name: 'key'},
  {name: 'publicId'},
  {name: 'name'},
  {name: 'state', value: stateOf},
  {name: 'org'},
  {name: 'project'},
  allOr('models'),
  allOr('environments'),
  allOr('scopes'),
  ...rateColumns,
  maxOutputColumn,
  {name: 'expiresAt'},
  {name: 'rotatedAt'},
  {name: 'previousExpiresAt', heading: 'old secret until'},
  {name: 'revokedAt'},
  {name: 'lastUsedAt'},
  {name: 'createdAt'},
];

/** On standard error, so that standard output is what was asked for. What was done at a try whose answer was lost has shown its secret there. */
export const keepIt = (context: Context, format: Format, {id, secretShown}: Item) => {
  if (secretShown === false) {
    throw new Failure(
      'failed',
      `it is done, but the answer with the secret was lost on the way and nobody has it: rotate or revoke ${id}`,
    );
  }
  if (formatOf(context, format) === 'table') {
    context.err('keep the key now: only its hash is stored, and it cannot be shown again\n');
  }
};

export const keyCommand = (program: Command, context: Context) => {
  const key = program.command('key').description('API keys: what clients of the gateway call with');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: told(itemColumns, format, item), item});
  const named = (word: string, text: string) =>
    withFormat(key.command(`${word} <key>`))
      .description(text)
      .option('--org <name-or-id>', 'where keys of several organisations have the name')
      .option('--project <name-or-id>', 'where keys of several projects have the name');

  withKeyOptions(withFormat(key.command('create <name>')))
    .description('makes a key of a project; it is printed once and kept nowhere')
    .option('--org <name-or-id>', 'where projects of several organisations have the name')
    .requiredOption('--project <name-or-id>', 'whose requests it makes')
    .action(async (name: string, {json, csv, org, project, ...options}: NewKey) => {
      const client = context.client();
      const id = await findProject(client, project, {org});
      const body = {name, ...toKeyFields(options, {creating: true})};
      const item = await client.send('POST', `/projects/${id}/keys`, body);
      show({json, csv}, item);
      keepIt(context, {json, csv}, item);
    });

  withFormat(key.command('list', {isDefault: true}))
    .description('the keys of a project, or of all projects of an organisation; revoked ones too')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--project <name-or-id>', 'of this one only')
    .action(async ({org, project, ...format}: Options) => {
      const items = await list(context.client(), {org, project});
      showList(context, format, {columns: listColumns, items, answer: {data: items}});
    });

  named('show', 'one key, without its secret').action(
    async (given: string, {org, project, ...format}: Options) => {
      const client = context.client();
      show(format, await client.get(`/keys/${await findKey(client, given, {org, project})}`));
    },
  );

  withKeyOptions(named('update', 'changes what it may do; gateways know within a second'))
    .option('--name <name>', 'another name')
    .action(async (given: string, options: Options & KeyOptions & {name?: string}) => {
      const {json, csv, org, project, name, ...rest} = options;
      const change = {...(name === undefined ? {} : {name}), ...toKeyFields(rest)};
      if (!hasChange(change)) {
        throw new Failure('usage', 'give what to change: --help lists it');
      }
      const client = context.client();
      const path = `/keys/${await findKey(client, given, {org, project})}`;
      show({json, csv}, await client.send('PATCH', path, change));
    });

  secretCommands(key, context, {named, show});
};

type Shared = Readonly<{
  named: (word: string, text: string) => Command;
  show: (format: Format, item: Item) => void;
}>;

const secretCommands = (key: Command, context: Context, {named, show}: Shared) => {
  named('rotate', 'gives it another secret; the old one is good for a while, so that none fails')
    .option('--overlap <time>', 'how long the old secret stays good: 0 to 30d', '24h')
    .action(async (given: string, {overlap, org, project, ...format}: Rotation) => {
      const overlapSeconds = durationSeconds('--overlap', overlap);
      if (overlapSeconds > overlapMax) {
        throw new Failure('usage', `--overlap: expected at most 30d, got "${overlap}"`);
      }
      const client = context.client();
      const path = `/keys/${await findKey(client, given, {org, project})}/rotate`;
      const item = await client.send('POST', path, {overlapSeconds});
      show(format, item);
      keepIt(context, format, item);
    });

  key
    .command('revoke <key>')
    .description('ends it for ever: no request starts with it a second later')
    .option('--org <name-or-id>', 'where keys of several organisations have the name')
    .option('--project <name-or-id>', 'where keys of several projects have the name')
    .option('--now', 'cut its running requests, too; what they used is charged')
    .action(async (given: string, {now, ...where}: Where & {now?: boolean}) => {
      const client = context.client();
      const id = await findKey(client, given, where);
      await client.send('DELETE', `/keys/${id}${now ? '?now=true' : ''}`);
      context.err(`revoked ${id}\n`);
    });
};

type NewKey = Format & KeyOptions & Readonly<{org?: string; project: string}>;
type Rotation = Options & Readonly<{overlap: string}>;

const list = async (client: Client, {org, project}: Where): Promise<Item[]> => {
  if (project !== undefined) {
    const id = await findProject(client, project, {org});
    return client.list(`/projects/${id}/keys`);
  }
  const projects = await client.list(`/orgs/${await findOrg(client, org)}/projects`);
  const lists = [];
  for (const {id, name} of projects) {
    const keys = await client.list(`/projects/${id}/keys`);
    lists.push(...keys.map(key => ({...key, projectName: name})));
  }
  return lists;
};
