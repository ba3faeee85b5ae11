/** Model: `sluice model list|show|register|update|enable|disable|probe|remove`. A model is named by its name or id. */
import type {Command} from 'commander';
import {isUuid} from '../../../../events/uuid.ts';
import type {Client, Item} from '../shell/client.ts';
import {type Context, type Format, showItem, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import type {Column} from '../shell/table.ts';
import {
  type RegisterOptions,
  toChange,
  toRegistration,
  type UpdateOptions,
  withRouting,
} from './model-options.ts';

type Endpoint = Readonly<{
  url: string;
  health: string;
  healthReason: string | null;
  maxConcurrency?: number | null;
}>;

const endpointsOf = (item: Item) => item.endpoints as readonly Endpoint[];
const writePrice = ({price}: Item) => {
  const {inputPerMillion, outputPerMillion} = price as Item;
  return price === 'free' ? 'free' : `${inputPerMillion} in, ${outputPerMillion} out`;
};

const writeFallbacks = (item: Item) =>
  ((item.fallbacks ?? []) as readonly string[])
    .map(name =>
      (item.missingFallbacks as readonly string[] | undefined)?.includes(name)
        ? `${name} (not registered)`
        : name,
    )
    .join(', ');

const listColumns: readonly Column[] = [
  {name: 'name'},
  {name: 'environment'},
  {name: 'status'},
  {name: 'context', value: item => item.contextLength, right: true},
  {name: 'USD/million', value: writePrice},
  {
    name: 'healthy',
    value: item =>
      `${endpointsOf(item).filter(({health}) => health === 'healthy').length}/${endpointsOf(item).length}`,
    right: true,
  },
  {name: 'id'},
];
const itemColumns: readonly Column[] = [
  ...listColumns,
  {name: 'defaultMaxTokens'},
  {name: 'priceVersion'},
  {name: 'reason'},
  {name: 'startSeconds'},
  {name: 'fallbacks', value: writeFallbacks},
  {name: 'maxOutputTokens'},
  {
    name: 'endpoints',
    value: item =>
      endpointsOf(item)
        .map(({url, health, healthReason, maxConcurrency}) =>
          [
            `${url} ${health}`,
            ...(healthReason ? [`(${healthReason})`] : []),
            ...(maxConcurrency == null ? [] : [`at most ${maxConcurrency} at once`]),
          ].join(' '),
        )
        .join('; '),
  },
];

type Named = Format & Readonly<{environment?: string}>;

export const modelCommand = (program: Command, context: Context) =>
  modelCommands(
    program.command('model').description('which models there are, and what they cost'),
    context,
    'remove',
  );

/** `removing`: the word for taking one away. */
export const modelCommands = (
  model: Command,
  context: Context,
  removing: 'remove' | 'deregister',
) => {
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: itemColumns, item});

  withFormat(model.command('list', {isDefault: true}))
    .description('all models')
    .option('--environment <name>', 'development, staging or production')
    .option('--status <status>', 'registered, ready or disabled')
    .action(async ({json, csv, ...query}: Named & {status?: string}) => {
      const answer = await context.client().get<{data: Item[]}>('/models', query);
      showList(context, {json, csv}, {columns: listColumns, items: answer.data, answer});
    });

  withRouting(withFormat(model.command('register <name>')))
    .description('registers a model, or changes what is registered under its name')
    .requiredOption('--environment <name>', 'development, staging or production')
    .requiredOption('--endpoint <url...>', 'where it is served')
    .requiredOption('--price <in,out>', 'USD a million tokens, a third for cached input; or free')
    .option('--gpu-ms <in,out>', 'milliseconds of a GPU a million tokens, for budgets of gpu_ms')
    .option('--context-length <tokens>', 'asked of the server where absent')
    .option('--default-max-tokens <tokens>', 'held for a request that names none (4096)')
    .option('--namespace <name>', 'of Kubernetes, where it is served')
    .action(async (name: string, {json, csv, ...options}: RegisterOptions) => {
      const body = toRegistration(name, options);
      show({json, csv}, await context.client().send('POST', '/models', body));
    });

  const named = (word: string, text: string) =>
    withFormat(model.command(`${word} <name-or-id>`))
      .description(text)
      .option('--environment <name>', 'where a name is used in several');

  named('show', 'one model').action(async (given: string, {environment, ...format}: Named) => {
    const client = context.client();
    show(format, await client.get(`/models/${await findModel(client, given, environment)}`));
  });
  withRouting(named('update', 'changes how requests are routed to it, within a second'))
    .option('--endpoint <url...>', 'those that --max-concurrency is for; all where absent')
    .option('--no-fallback', 'takes them away')
    .action(async (given: string, {environment, json, csv, ...options}: Named & UpdateOptions) => {
      const client = context.client();
      const path = `/models/${await findModel(client, given, environment)}`;
      const urls = async () => endpointsOf(await client.get(path)).map(({url}) => url);
      show({json, csv}, await client.send('PATCH', path, await toChange(options, urls)));
    });
  for (const [word, text] of [
    ['enable', 'lets gateways route to it'],
    ['disable', 'takes it away from gateways'],
    ['probe', 'asks its endpoints how they are'],
  ] as const) {
    named(word, text).action(async (given: string, {environment, ...format}: Named) => {
      const client = context.client();
      const id = await findModel(client, given, environment);
      show(format, await client.send('POST', `/models/${id}/${word}`));
    });
  }
  named(removing, 'forgets it; what was charged stays in the ledger').action(
    async (given: string, {environment, json, csv}: Named) => {
      const client = context.client();
      const id = await findModel(client, given, environment);
      await context.confirm(`take the model ${given} away from every gateway and forget it`);
      await client.send('DELETE', `/models/${id}`);
      if (json || csv) {
        showItem(context, {json, csv}, {columns: [{name: 'removed'}], item: {removed: id}});
      } else {
        context.err(`removed ${id}\n`);
      }
    },
  );
};

export const findModel = async (
  client: Client,
  given: string,
  environment: string | undefined,
): Promise<string> => {
  if (isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  const {data} = await client.get<{data: Item[]}>('/models', {environment});
  const found = data.filter(({name}) => name === given);
  if (found.length > 1) {
    const names = found.map(item => item.environment).join(', ');
    throw new Failure(
      'usage',
      `"${given}" is in several environments: give --environment ${names}`,
    );
  }
  if (!found[0]) {
    throw new Failure('notFound', `there is no model "${given}"`);
  }
  return String(found[0].id);
};
