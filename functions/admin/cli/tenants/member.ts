/**
Member: `sluice member add|list|update|remove`, who has which role in an organisation or in one project of it.

A member is named by e-mail address, or by the id of the membership. Somebody who is no user yet is made one, and is `invited` until the
first login.
*/
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, showItem} from '../shell/context.ts';
import {findMember, type Where} from '../shell/find.ts';
import {stateOf} from '../shell/state.ts';
import type {Column} from '../shell/table.ts';
import {findPlace, type PlaceOptions, showPlace, withPlace} from './place.ts';
import {told} from './rate-options.ts';
import {neededRole} from './role.ts';

const listColumns: readonly Column[] = [
  {name: 'email'},
  {name: 'role'},
  {name: 'project', value: item => item.projectName ?? item.project ?? 'all'},
  {name: 'state', value: stateOf},
  {name: 'lastLoginAt'},
  {name: 'id'},
];
const itemColumns: readonly Column[] = [
  {name: 'id'},
  {name: 'email'},
  {name: 'name'},
  {name: 'role'},
  {name: 'org'},
  {name: 'project'},
  {name: 'state', value: stateOf},
  {name: 'user'},
  {name: 'lastLoginAt'},
  {name: 'createdAt'},
];

export const memberCommand = (program: Command, context: Context) => {
  const member = program
    .command('member')
    .description('who may do what: viewer, member, admin or owner of an organisation or project');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: told(itemColumns, format, item), item});

  withPlace(member.command('add <email>'))
    .description('gives somebody a role; viewer reads, member makes keys, admin manages, owner all')
    .addOption(neededRole())
    .option('--name <name>', 'of somebody who is no user yet')
    .action(async (email: string, options: PlaceOptions & {role: string; name?: string}) => {
      const {json, csv, org, project, role, name} = options;
      const {owner, ...team} = await findPlace(context, {org, project});
      const body = {email, role, ...(name === undefined ? {} : {name}), ...team};
      show({json, csv}, await context.client().send('POST', `/orgs/${owner}/members`, body));
    });

  withPlace(member.command('list', {isDefault: true}))
    .description('the members of an organisation, or those who have a role in one project')
    .action((options: PlaceOptions) =>
      showPlace(context, options, {noun: 'members', columns: listColumns}),
    );

  withPlace(member.command('update <email-or-id>'))
    .description('gives another role; nobody gives more than they have, and the last owner stays')
    .addOption(neededRole())
    .action(
      async (given: string, {role, org, project, ...format}: PlaceOptions & {role: string}) => {
        const client = context.client();
        const id = await findMember(client, given, {org, project});
        show(format, await client.send('PATCH', `/members/${id}`, {role}));
      },
    );

  member
    .command('remove <email-or-id>')
    .description('takes a role away; the user stays')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--project <name-or-id>', 'the role in this project')
    .action(async (given: string, where: Where) => {
      const client = context.client();
      const id = await findMember(client, given, where);
      await client.send('DELETE', `/members/${id}`);
      context.err(`removed ${id}\n`);
    });
};
