/** Model: `sluice model list|show|register|enable|disable|probe|remove`. A model is named by its name or id. */
import type {Command} from 'commander';
import {isUuid} from '../../../events/uuid.ts';
import type {Client, Item} from './client.ts';
import {type Context, type Format, showItem, showList, withFormat} from './context.ts';
import {Failure} from './failure.ts';
import type {Column} from './table.ts';

type Endpoint = Readonly<{url: string; health: string; healthReason: string | null}>;

const endpointsOf = (item: Item) => item.endpoints as readonly Endpoint[];
const writePrice = ({price}: Item) => {
  const {inputPerMillion, outputPerMillion} = price as Item;
  return price === 'free' ? 'free' : `${inputPerMillion} in, ${outputPerMillion} out`;
};

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
  {
    name: 'endpoints',
    value: item =>
      endpointsOf(item)
        .map(({url, health, healthReason}) =>
          healthReason ? `${url} ${health} (${healthReason})` : `${url} ${health}`,
        )
        .join('; '),
  },
];

type RegisterOptions = Format &
  Readonly<{
    environment: string;
    endpoint: string[];
    price: string;
    gpuMs?: string;
    contextLength?: string;
    defaultMaxTokens?: string;
    namespace?: string;
  }>;
type Named = Format & Readonly<{environment?: string}>;

export const modelCommand = (program: Command, context: Context) => {
  const model = program.command('model').description('which models there are, and what they cost');
  const show = (format: Format, item: Item) =>
    showItem(context, format, {columns: itemColumns, item});

  withFormat(model.command('list', {isDefault: true}))
    .description('all models')
    .option('--environment <name>')
    .option('--status <status>', 'registered, ready or disabled')
    .action(async ({json, csv, ...query}: Named & {status?: string}) => {
      const answer = await context.client().get<{data: Item[]}>('/models', query);
      showList(context, {json, csv}, {columns: listColumns, items: answer.data, answer});
    });

  withFormat(model.command('register <name>'))
    .description('registers a model, or changes what is registered under its name')
    .requiredOption('--environment <name>', 'development, staging or production')
    .requiredOption('--endpoint <url...>', 'where it is served')
    .requiredOption('--price <in,out>', 'USD a million tokens, a third for cached input; or free')
    .option('--gpu-ms <in,out>', 'milliseconds of a GPU a million tokens, for budgets of gpu_ms')
    .option('--context-length <tokens>', 'asked of the server where absent')
    .option('--default-max-tokens <tokens>')
    .option('--namespace <name>')
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
  named('remove', 'forgets it; what was charged stays in the ledger').action(
    async (given: string, {environment, json, csv}: Named) => {
      const client = context.client();
      const id = await findModel(client, given, environment);
      await client.send('DELETE', `/models/${id}`);
      if (json || csv) {
        showItem(context, {json, csv}, {columns: [{name: 'removed'}], item: {removed: id}});
      } else {
        context.err(`removed ${id}\n`);
      }
    },
  );
};

const wholeNumber = (name: string, text: string): number => {
  if (!/^\d{1,10}$/.test(text)) {
    throw new Failure('usage', `${name}: expected a whole number, got "${text}"`);
  }
  return Number(text);
};

const toRegistration = (name: string, options: Omit<RegisterOptions, keyof Format>) => {
  const {environment, endpoint, price, gpuMs, contextLength, defaultMaxTokens, namespace} = options;
  return {
    name,
    environment,
    endpoints: endpoint,
    price: toPrice(price, gpuMs),
    ...(contextLength === undefined
      ? {}
      : {contextLength: wholeNumber('--context-length', contextLength)}),
    ...(defaultMaxTokens === undefined
      ? {}
      : {defaultMaxTokens: wholeNumber('--default-max-tokens', defaultMaxTokens)}),
    ...(namespace === undefined ? {} : {namespace}),
  };
};

const toPrice = (text: string, gpuMs: string | undefined) => {
  if (text === 'free' && gpuMs !== undefined) {
    throw new Failure('usage', '--gpu-ms: a model that is free costs no time of a GPU either');
  }
  if (text === 'free') {
    return text;
  }
  const [inputPerMillion, outputPerMillion, cachedInputPerMillion, ...more] = text
    .split(',')
    .map(part => part.trim());
  if (outputPerMillion === undefined || more.length > 0) {
    throw new Failure('usage', `--price: expected free or IN,OUT[,CACHED], got "${text}"`);
  }
  return {
    inputPerMillion,
    outputPerMillion,
    ...(cachedInputPerMillion === undefined ? {} : {cachedInputPerMillion}),
    ...(gpuMs === undefined ? {} : toGpuMs(gpuMs)),
  };
};

const toGpuMs = (text: string) => {
  const [input = '', output = '', ...more] = text.split(',').map(part => part.trim());
  if (more.length > 0) {
    throw new Failure('usage', `--gpu-ms: expected IN,OUT, got "${text}"`);
  }
  return {
    inputGpuMsPerMillion: wholeNumber('--gpu-ms', input),
    outputGpuMsPerMillion: wholeNumber('--gpu-ms', output),
  };
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
