/**
User: `sluice user create|list|show|update|disable|enable|delete|login-link`, the people. One is named by e-mail address or id.

`create` with --org and --role makes a member at once, and with --login-link prints how to log in without a provider: the first person
of a new installation needs one command.
*/
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, showItem, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {findProject, findUser} from '../shell/find.ts';
import {stateOf} from '../shell/state.ts';
import type {Column} from '../shell/table.ts';
import {linkOf} from './login-link.ts';
import {findOrg} from './org.ts';
import {told} from './rate-options.ts';
import {roleOption} from './role.ts';

type NewUser = Format &
  Readonly<{
    email?: string;
    name?: string;
    operator?: boolean;
    org?: string;
    project?: string;
    role?: string;
    loginLink?: boolean;
  }>;

const yesNo = (name: string): Column => ({name, value: item => (item[name] ? 'yes' : 'no')});
const listColumns: readonly Column[] = [
  {name: 'email'},
  {name: 'name'},
  {name: 'state', value: stateOf},
  yesNo('operator'),
  {name: 'lastLoginAt'},
  {name: 'id'},
];
const itemColumns: readonly Column[] = [
  {name: 'id'},
  ...listColumns.slice(0, 4),
  {name: 'issuer'},
  {name: 'subject'},
  {name: 'lastLoginAt'},
  {name: 'disabledAt'},
  {name: 'createdAt'},
  {name: 'member', value: item => (item.member as Item | undefined)?.id},
  {name: 'role', value: item => (item.member as Item | undefined)?.role},
  {name: 'loginLink'},
  {name: 'linkExpiresAt'},
];

export const userCommand = (program: Command, context: Context) => {
  const user = program.command('user').description('people who may use the admin API and console');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: told(itemColumns, format, item), item});

  withFormat(user.command('create'))
    .description('makes a user; with --org and --role a member of it, too')
    .requiredOption('--email <address>', 'by which the person is known')
    .option('--name <name>', 'the part before the @ where absent')
    .option('--operator', 'runs the platform: may do all that the admin key may')
    .option('--org <name-or-id>', 'makes it a member of this organisation')
    .option('--project <name-or-id>', 'of this project only')
    .addOption(roleOption())
    .option('--login-link', 'prints a link that logs in once, without an OpenID provider')
    .action(async ({json, csv, ...options}: NewUser) =>
      show({json, csv}, await create(context, options)),
    );

  withFormat(user.command('list', {isDefault: true}))
    .description('all users')
    .action(async (format: Format) => {
      const items = await context.client().list('/users');
      showList(context, format, {columns: listColumns, items, answer: {data: items}});
    });

  const named = (word: string, text: string) =>
    withFormat(user.command(`${word} <email-or-id>`)).description(text);

  named('show', 'one user').action(async (given: string, format: Format) => {
    const client = context.client();
    show(format, await client.get(`/users/${await findUser(client, given)}`));
  });

  changeCommands(user, context, {named, show});
};

type Shared = Readonly<{
  named: (word: string, text: string) => Command;
  show: (format: Format, item: Item) => void;
}>;

const changeCommands = (user: Command, context: Context, {named, show}: Shared) => {
  named('update', 'changes a name, or who runs the platform')
    .option('--name <name>', 'another name')
    .option('--operator', 'runs the platform from now on')
    .option('--no-operator', 'runs it no longer')
    .action(async (given: string, options: Format & {name?: string; operator?: boolean}) => {
      const {json, csv, ...change} = options;
      if (Object.keys(change).length === 0) {
        throw new Failure('usage', 'give --name, --operator or --no-operator');
      }
      const client = context.client();
      const path = `/users/${await findUser(client, given)}`;
      show({json, csv}, await client.send('PATCH', path, change));
    });

  for (const [word, disabled, text] of [
    ['disable', true, 'ends its sessions and lets it log in no more'],
    ['enable', false, 'lets it log in again'],
  ] as const) {
    named(word, text).action(async (given: string, format: Format) => {
      const client = context.client();
      const path = `/users/${await findUser(client, given)}`;
      show(format, await client.send('PATCH', path, {disabled}));
    });
  }

  user
    .command('delete <email-or-id>')
    .description('forgets it and takes its roles; what it did stays in the audit')
    .action(async (given: string) => {
      const client = context.client();
      const id = await findUser(client, given);
      await context.confirm(`delete the user ${given}, which loses its roles`);
      await client.send('DELETE', `/users/${id}`);
      context.err(`deleted ${id}\n`);
    });

  named('login-link', 'prints a link that logs in once, without an OpenID provider').action(
    async (given: string, format: Format) => {
      const client = context.client();
      const link = await linkOf(context, await findUser(client, given));
      const columns = ['loginLink', 'linkExpiresAt'].map(name => ({name}));
      showItem(context, format, {columns, item: link});
    },
  );
};

const create = async (
  context: Context,
  {email, name, operator, org, project, role, loginLink}: Omit<NewUser, keyof Format>,
): Promise<Item> => {
  if (role === undefined && (org !== undefined || project !== undefined)) {
    throw new Failure('usage', 'give --role with --org: viewer, member, admin or owner');
  }
  const client = context.client();
  // Looked up first, so that a misspelt organisation leaves no user behind.
  const owner = role === undefined ? undefined : await findOrg(client, org);
  const team = project && (await findProject(client, project, {org: owner}));
  const created = await client.send('POST', '/users', {
    email,
    name: name ?? String(email).split('@', 1)[0],
    ...(operator ? {operator} : {}),
  });
  const member =
    owner &&
    (await client.send('POST', `/orgs/${owner}/members`, {
      email,
      role,
      ...(team ? {project: team} : {}),
    }));
  return {
    ...created,
    ...(member ? {member} : {}),
    ...(loginLink ? await linkOf(context, String(created.id)) : {}),
  };
};
