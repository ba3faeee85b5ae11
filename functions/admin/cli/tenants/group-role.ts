/** Group role: `sluice group-role add|list|update|remove`, which role those have whom the OpenID provider has in a group. */
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, showItem} from '../shell/context.ts';
import {findGroupRole, type Where} from '../shell/find.ts';
import type {Column} from '../shell/table.ts';
import {findPlace, type PlaceOptions, showPlace, withPlace} from './place.ts';
import {told} from './rate-options.ts';
import {neededRole} from './role.ts';

const listColumns: readonly Column[] = [
  {name: 'group'},
  {name: 'role'},
  {name: 'project', value: item => item.projectName ?? item.project ?? 'all'},
  {name: 'createdAt'},
  {name: 'id'},
];
const itemColumns = ['id', 'group', 'role', 'org', 'project', 'createdAt'].map(name => ({name}));

export const groupRoleCommand = (program: Command, context: Context) => {
  const groupRole = program
    .command('group-role')
    .description('roles of groups of the OpenID provider; they count from the next login');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: told(itemColumns, format, item), item});

  withPlace(groupRole.command('add <group>'))
    .description('gives everybody in a group a role')
    .addOption(neededRole())
    .action(
      async (group: string, {role, org, project, ...format}: PlaceOptions & {role: string}) => {
        const {owner, ...team} = await findPlace(context, {org, project});
        const body = {group, role, ...team};
        show(format, await context.client().send('POST', `/orgs/${owner}/group-roles`, body));
      },
    );

  withPlace(groupRole.command('list', {isDefault: true}))
    .description('the groups that have a role in an organisation or in one project of it')
    .action((options: PlaceOptions) =>
      showPlace(context, options, {noun: 'group-roles', columns: listColumns}),
    );

  withPlace(groupRole.command('update <group-or-id>'))
    .description('gives a group another role')
    .addOption(neededRole())
    .action(
      async (given: string, {role, org, project, ...format}: PlaceOptions & {role: string}) => {
        const client = context.client();
        const id = await findGroupRole(client, given, {org, project});
        show(format, await client.send('PATCH', `/group-roles/${id}`, {role}));
      },
    );

  groupRole
    .command('remove <group-or-id>')
    .description('takes the role of a group away')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--project <name-or-id>', 'the role in this project')
    .action(async (given: string, where: Where) => {
      const client = context.client();
      const id = await findGroupRole(client, given, where);
      await client.send('DELETE', `/group-roles/${id}`);
      context.err(`removed ${id}\n`);
    });
};
