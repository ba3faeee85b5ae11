/** Service key: `sluice service-key create|list|show|revoke`, keys of machines for the admin API. The key itself is printed once. */
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, showItem, withFormat} from '../shell/context.ts';
import {expiryOf} from '../shell/duration.ts';
import {findServiceKey, type Where} from '../shell/find.ts';
import {stateOf} from '../shell/state.ts';
import type {Column} from '../shell/table.ts';
import {findPlace, type PlaceOptions, showPlace, withPlace} from '../tenants/place.ts';
import {told} from '../tenants/rate-options.ts';
import {neededRole} from '../tenants/role.ts';
import {keepIt} from './key.ts';

type NewKey = PlaceOptions & Readonly<{role: string; expiresAt?: string; expiresIn?: string}>;

const listColumns: readonly Column[] = [
  {name: 'publicId'},
  {name: 'name'},
  {name: 'role'},
  {name: 'project', value: item => item.projectName ?? item.project ?? 'all'},
  {name: 'state', value: stateOf},
  {name: 'lastUsedAt'},
  {name: 'id'},
];
const itemColumns: readonly Column[] = [
  {name: 'id'},
  {name: 'key'},
  {name: 'publicId'},
  {name: 'name'},
  {name: 'role'},
  {name: 'state', value: stateOf},
  ...['org', 'project', 'expiresAt', 'revokedAt', 'lastUsedAt', 'createdAt'].map(name => ({name})),
];

export const serviceKeyCommand = (program: Command, context: Context) => {
  const serviceKey = program
    .command('service-key')
    .description('keys of machines for the admin API; they start no inference');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: told(itemColumns, format, item), item});

  withPlace(serviceKey.command('create <name>'))
    .description('makes a key with a role; it is printed once and kept nowhere')
    .addOption(neededRole())
    .option('--expires-at <instant>', 'an RFC 3339 instant')
    .option('--expires-in <time>', 'such as 90d')
    .action(async (name: string, {json, csv, org, project, role, ...when}: NewKey) => {
      const {owner, ...team} = await findPlace(context, {org, project});
      const expiresAt = expiryOf(when);
      const item = await context.client().send('POST', `/orgs/${owner}/service-keys`, {
        name,
        role,
        ...team,
        ...(expiresAt === undefined ? {} : {expiresAt}),
      });
      show({json, csv}, item);
      keepIt(context, {json, csv}, item);
    });

  withPlace(serviceKey.command('list', {isDefault: true}))
    .description('the service keys of an organisation, revoked ones too')
    .action((options: PlaceOptions) =>
      showPlace(context, options, {noun: 'service-keys', columns: listColumns}),
    );

  withFormat(serviceKey.command('show <key>'))
    .description('one service key, by its id, public id or name')
    .option('--org <name-or-id>', 'where several have the name')
    .action(async (given: string, {org, ...format}: PlaceOptions) => {
      const client = context.client();
      show(format, await client.get(`/service-keys/${await findServiceKey(client, given, {org})}`));
    });

  serviceKey
    .command('revoke <key>')
    .description('ends it at once')
    .option('--org <name-or-id>', 'where several have the name')
    .action(async (given: string, where: Where) => {
      const client = context.client();
      const id = await findServiceKey(client, given, where);
      await client.send('DELETE', `/service-keys/${id}`);
      context.err(`revoked ${id}\n`);
    });
};
