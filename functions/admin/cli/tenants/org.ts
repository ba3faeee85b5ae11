/**
Org: `sluice org create|list|show|update|suspend|resume|delete|restore`, and which organisation any command is about.

With nothing said that is the only one there is.
*/
import type {Command} from 'commander';
import {isUuid} from '../../../../events/uuid.ts';
import type {Client, Item} from '../shell/client.ts';
import {type Context, type Format, showItem, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {wholeNumber} from '../shell/numbers.ts';
import {stateOf} from '../shell/state.ts';
import type {Column} from '../shell/table.ts';
import {type RateOptions, rateColumns, told, toRates, withRates} from './rate-options.ts';

const listColumns: readonly Column[] = [
  {name: 'name'},
  {name: 'state', value: stateOf},
  {name: 'createdAt'},
  {name: 'id'},
];
const itemColumns: readonly Column[] = [
  {name: 'id'},
  {name: 'name'},
  {name: 'state', value: stateOf},
  {name: 'suspendedReason', heading: 'reason'},
  ...rateColumns,
  {name: 'createdAt'},
  {name: 'suspendedAt'},
  {name: 'deletedAt'},
  {name: 'purgeAfter'},
];

export const orgCommand = (program: Command, context: Context) => {
  const org = program.command('org').description('the tenants: who uses Sluice and pays for it');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: told(itemColumns, format, item), item});

  withRates(withFormat(org.command('create <name>')))
    .description('makes an organisation; it can do nothing until it has a project with a key')
    .action(async (name: string, {json, csv, ...rates}: Format & RateOptions) => {
      const body = {name, ...toRates(rates, {creating: true})};
      show({json, csv}, await context.client().send('POST', '/orgs', body));
    });

  withFormat(org.command('list', {isDefault: true}))
    .description('all organisations, those that are deleted too until they are purged')
    .action(async (format: Format) => {
      const items = await context.client().list('/orgs');
      showList(context, format, {columns: listColumns, items, answer: {data: items}});
    });

  withFormat(org.command('show <name-or-id>'))
    .description('one organisation')
    .action(async (given: string, format: Format) => {
      const client = context.client();
      show(format, await client.get(`/orgs/${await findOrg(client, given)}`));
    });

  withRates(withFormat(org.command('update <name-or-id>')))
    .description('changes its name or its limits; gateways know within a second')
    .option('--name <name>', 'another name')
    .action(async (given: string, {json, csv, name, ...rates}: Update) => {
      const change = {...(name === undefined ? {} : {name}), ...toRates(rates)};
      if (Object.keys(change).length === 0) {
        throw new Failure('usage', 'give --name, --requests, --tokens or --parallel');
      }
      const client = context.client();
      const path = `/orgs/${await findOrg(client, given)}`;
      show({json, csv}, await client.send('PATCH', path, change));
    });

  lifeCommands(org, context, show);
  return org;
};

type Update = Format & RateOptions & Readonly<{name?: string}>;
type Show = (format: Format, item: Item) => void;

const lifeCommands = (org: Command, context: Context, show: Show) => {
  withFormat(org.command('suspend <name-or-id>'))
    .description('refuses its requests from now on; --now cuts those that run, too')
    .option('--now', 'cut running requests; what they used is charged')
    .option('--reason <text>', 'shown to the operator, not to its clients')
    .action(async (given: string, options: Format & {now?: boolean; reason?: string}) => {
      const {now, reason, ...format} = options;
      const body = {...(now ? {now} : {}), ...(reason === undefined ? {} : {reason})};
      const client = context.client();
      const path = `/orgs/${await findOrg(client, given)}/suspend`;
      show(format, await client.send('POST', path, body));
    });

  for (const [word, text] of [
    ['resume', 'ends a suspension'],
    ['restore', 'takes a deletion back, as long as it is not purged'],
  ] as const) {
    withFormat(org.command(`${word} <name-or-id>`))
      .description(text)
      .action(async (given: string, format: Format) => {
        const client = context.client();
        const path = `/orgs/${await findOrg(client, given)}/${word}`;
        show(format, await client.send('POST', path, {}));
      });
  }

  withFormat(org.command('delete <name-or-id>'))
    .description('ends it: nobody of it can do anything; its data is purged after a while')
    .option(
      '--retention-days <number>',
      'until it is purged, 0 to 365; restore is possible before',
      '30',
    )
    .action(async (given: string, options: Format & {retentionDays: string}) => {
      const {retentionDays: days, ...format} = options;
      const retentionDays = String(wholeNumber('--retention-days', days));
      const client = context.client();
      const id = await findOrg(client, given);
      await context.confirm(
        `delete the organisation ${given} and purge its data after ${retentionDays} days`,
      );
      const path = `/orgs/${id}?retentionDays=${retentionDays}`;
      show(format, await client.send('DELETE', path));
    });
};

export const findOrg = async (client: Client, given: string | undefined): Promise<string> => {
  if (given !== undefined && isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  if (given !== undefined) {
    const {data} = await client.get<{data: Item[]}>('/orgs', {name: given});
    if (!data[0]) {
      throw new Failure('notFound', `there is no organisation "${given}"`);
    }
    return String(data[0].id);
  }
  const {data} = await client.get<{data: Item[]}>('/orgs', {limit: '10'});
  if (data.length === 0) {
    throw new Failure('notFound', 'there is no organisation yet');
  }
  if (data.length > 1) {
    const names = data.map(({name}) => JSON.stringify(name)).join(', ');
    throw new Failure('usage', `there are several organisations: give --org, such as ${names}`);
  }
  return String(data[0]?.id);
};
