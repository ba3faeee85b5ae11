/** Project: `sluice project create|list|show|update|delete`, the teams of an organisation. A project is named by its name or id. */
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, showItem, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {findProject} from '../shell/find.ts';
import {stateOf} from '../shell/state.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from './org.ts';
import {
  maxOutputColumn,
  type RateOptions,
  rateColumns,
  told,
  toRates,
  withMaxOutput,
} from './rate-options.ts';

type Named = Format & Readonly<{org?: string}>;
type Policies = RateOptions & Readonly<{unsettled?: string; keepResults?: boolean}>;

const listColumns: readonly Column[] = ['name', 'createdAt', 'id'].map(name => ({name}));
const itemColumns: readonly Column[] = [
  {name: 'id'},
  {name: 'name'},
  {name: 'state', value: stateOf},
  {name: 'org'},
  ...rateColumns,
  maxOutputColumn,
  {name: 'unsettledPolicy', heading: 'unsettled'},
  {name: 'keepResults', heading: 'keeps results', value: item => (item.keepResults ? 'yes' : 'no')},
  {name: 'createdAt'},
  {name: 'deletedAt'},
];

const withPolicies = (command: Command) =>
  withMaxOutput(withFormat(command))
    .option('--org <name-or-id>', 'its organisation')
    .option(
      '--unsettled <policy>',
      'what a request that nobody finished costs: prompt, hold, waive',
    )
    .option(
      '--keep-results',
      'keeps answers of requests with an Idempotency-Key, encrypted, for a day',
    )
    .option('--no-keep-results', 'keeps none');

const toPolicies = ({unsettled, keepResults}: Policies) => ({
  ...(unsettled === undefined ? {} : {unsettledPolicy: unsettled}),
  ...(keepResults === undefined ? {} : {keepResults}),
});

export const projectCommand = (program: Command, context: Context) => {
  const project = program.command('project').description('the teams inside an organisation');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: told(itemColumns, format, item), item});

  withPolicies(project.command('create <name>'))
    .description('makes a project, which keys and budgets can then be of')
    .action(async (name: string, {json, csv, org, ...options}: Named & Policies) => {
      const client = context.client();
      const body = {name, ...toRates(options, {creating: true}), ...toPolicies(options)};
      const path = `/orgs/${await findOrg(client, org)}/projects`;
      show({json, csv}, await client.send('POST', path, body));
    });

  withFormat(project.command('list', {isDefault: true}))
    .description('the projects of an organisation')
    .option('--org <name-or-id>', 'the only one there is where absent')
    .action(async ({org, ...format}: Named) => {
      const client = context.client();
      const items = await client.list(`/orgs/${await findOrg(client, org)}/projects`);
      showList(context, format, {columns: listColumns, items, answer: {data: items}});
    });

  withFormat(project.command('show <name-or-id>'))
    .description('one project')
    .option('--org <name-or-id>', 'where projects of several organisations have the name')
    .action(async (given: string, {org, ...format}: Named) => {
      const client = context.client();
      show(format, await client.get(`/projects/${await findProject(client, given, {org})}`));
    });

  withPolicies(project.command('update <name-or-id>'))
    .description('changes its name, limits or policies; gateways know within a second')
    .option('--name <name>', 'another name')
    .action(async (given: string, options: Named & Policies & {name?: string}) => {
      const {json, csv, org, name, ...rest} = options;
      const change = {...(name === undefined ? {} : {name}), ...toRates(rest), ...toPolicies(rest)};
      if (Object.keys(change).length === 0) {
        throw new Failure('usage', 'give --name, a limit, --unsettled or --keep-results');
      }
      const client = context.client();
      const path = `/projects/${await findProject(client, given, {org})}`;
      show({json, csv}, await client.send('PATCH', path, change));
    });

  project
    .command('delete <name-or-id>')
    .description('revokes its keys and forgets it; what was charged stays in the ledger')
    .option('--org <name-or-id>', 'where projects of several organisations have the name')
    .option('--now', 'cut running requests, too')
    .action(async (given: string, {org, now}: {org?: string; now?: boolean}) => {
      const client = context.client();
      const id = await findProject(client, given, {org});
      await context.confirm(`delete the project ${given} and revoke its keys`);
      await client.send('DELETE', `/projects/${id}${now ? '?now=true' : ''}`);
      context.err(`deleted ${id}\n`);
    });
};
