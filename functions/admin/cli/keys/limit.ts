/**
Limit: `sluice limit show|set`: requests and tokens a minute, requests at once, of one organisation, project, key or model; and
the most output that may be asked for, which an organisation has none of.
*/
import type {Command} from 'commander';
import {findModel} from '../models/model.ts';
import type {Client, Item} from '../shell/client.ts';
import {type Context, type Format, showItem, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {findKey, findProject} from '../shell/find.ts';
import {numberOrNone} from '../shell/numbers.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from '../tenants/org.ts';

type Owner = Readonly<{
  org?: string;
  project?: string;
  key?: string;
  model?: string;
  environment?: string;
}>;
type Limits = Readonly<{
  requests?: string;
  tokens?: string;
  parallel?: string;
  maxOutputTokens?: string;
}>;

const orNone = (name: string) => (item: Item) => item[name] ?? 'none';
const columns: readonly Column[] = [
  {name: 'id'},
  {name: 'name'},
  {name: 'requests a minute', value: orNone('requestsPerMinute')},
  {name: 'tokens a minute', value: orNone('tokensPerMinute')},
  {name: 'requests at once', value: orNone('parallelRequests')},
  {name: 'output tokens', value: orNone('maxOutputTokens')},
];

const withOwner = (command: Command) =>
  withFormat(command)
    .option('--org <name-or-id>', 'of an organisation')
    .option('--project <name-or-id>', 'of a project')
    .option('--key <name-or-id>', 'of a key')
    .option('--model <name-or-id>', 'of a model: what everybody together may use')
    .option('--environment <name>', 'where a model’s name is used in several');

export const limitCommand = (program: Command, context: Context) => {
  const limit = program
    .command('limit')
    .description('requests and tokens a minute, requests at once');

  withOwner(limit.command('show'))
    .description('what one of them may use')
    .action(async ({json, csv, ...owner}: Format & Owner) => {
      const client = context.client();
      const item = await client.get(await pathOf(client, owner));
      showItem(context, {json, csv}, {columns, item});
    });

  withOwner(limit.command('set'))
    .description('changes it; gateways know within a second')
    .option('--requests <number>', 'a minute; none takes the limit away')
    .option('--tokens <number>', 'a minute, of prompt and answer; or none')
    .option('--parallel <number>', 'requests at once; or none')
    .option('--max-output-tokens <number>', 'of one request; or none; not of an organisation')
    .action(async ({json, csv, ...options}: Format & Owner & Limits) => {
      if (options.org !== undefined && options.maxOutputTokens !== undefined) {
        throw new Failure('usage', '--max-output-tokens: of a project, a key or a model');
      }
      const body = toChange(options);
      const client = context.client();
      const item = await client.send('PATCH', await pathOf(client, options), body);
      showItem(context, {json, csv}, {columns, item});
    });
};

const pathOf = async (
  client: Client,
  {org, project, key, model, environment}: Owner,
): Promise<string> => {
  if ([org, project, key, model].filter(owner => owner !== undefined).length !== 1) {
    throw new Failure('usage', 'give one of --org, --project, --key and --model');
  }
  if (org !== undefined) {
    return `/orgs/${await findOrg(client, org)}`;
  }
  if (model !== undefined) {
    return `/models/${await findModel(client, model, environment)}`;
  }
  return project === undefined
    ? `/keys/${await findKey(client, String(key))}`
    : `/projects/${await findProject(client, project)}`;
};

const toChange = ({requests, tokens, parallel, maxOutputTokens}: Limits) => {
  const change = {
    ...(requests === undefined ? {} : {requestsPerMinute: numberOrNone('--requests', requests)}),
    ...(tokens === undefined ? {} : {tokensPerMinute: numberOrNone('--tokens', tokens)}),
    ...(parallel === undefined ? {} : {parallelRequests: numberOrNone('--parallel', parallel)}),
    ...(maxOutputTokens === undefined
      ? {}
      : {maxOutputTokens: numberOrNone('--max-output-tokens', maxOutputTokens)}),
  };
  if (Object.keys(change).length === 0) {
    throw new Failure('usage', 'give --requests, --tokens, --parallel or --max-output-tokens');
  }
  return change;
};
