/**
Deployment: `sluice deployment status`, what the registry knows of each model's endpoints, and beside it what Kubernetes says of what runs
there. Without a cluster, or where it does not answer, the registry's part is shown and the rest said on standard error.
*/
import {type Command, Option} from 'commander';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, formatOf, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import type {Column} from '../shell/table.ts';
import {type Cluster, openCluster} from './cluster.ts';
import {kubeSourceOf} from './kubeconfig.ts';
import {placeOf} from './place.ts';
import type {Seen} from './view.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Options = Format &
  Readonly<{
    model?: string;
    environment?: string;
    env?: string;
    kubeContext?: string;
    kubernetes?: boolean;
  }>;
type Endpoint = Readonly<{
  url: string;
  health: string;
  healthAt: string | null;
  healthReason: string | null;
  /** The object of Kubernetes that it was registered by. */
  object?: string | null;
}>;

const seenOf = (item: Item) => item.kubernetes as Seen | null | undefined;
const workloadsText = (item: Item) =>
  seenOf(item)
    ?.workloads.map(({kind, name, isReady, isAsleep, replicas}) =>
      [kind, name, replicas ?? (isAsleep ? 'asleep' : isReady ? 'ready' : 'not ready')].join(' '),
    )
    .join(', ');
const podsText = (item: Item) => {
  const seen = seenOf(item);
  return !seen || seen.problem !== undefined
    ? undefined
    : `${seen.pods.filter(({isReady}) => isReady).length}/${seen.pods.length}`;
};

const registryColumns: readonly Column[] = [
  {name: 'model'},
  {name: 'environment'},
  {name: 'status'},
  {name: 'endpoint', value: item => item.url},
  {name: 'health'},
  {name: 'probed', value: item => item.healthAt},
  {name: 'reason', value: item => item.healthReason},
];
const clusterColumns: readonly Column[] = [
  {name: 'workload', value: workloadsText},
  {name: 'podsReady', heading: 'pods ready', value: podsText, right: true},
];
const podColumns: readonly Column[] = [
  {name: 'namespace'},
  {name: 'pod', value: item => item.name},
  {name: 'phase'},
  {name: 'containers', right: true},
  {name: 'restarts', right: true},
  {name: 'reason'},
];

export const deploymentCommand = (program: Command, context: Context, environment: Environment) => {
  const deployment = program
    .command('deployment')
    .description('what runs behind the models, in the registry and on Kubernetes');

  withFormat(deployment.command('status', {isDefault: true}))
    .description('health, last probe and reason of each endpoint; pods and workloads beside it')
    .option('--model <name>', 'this one only')
    .option('--environment <name>', 'development, staging or production')
    .addOption(new Option('--env <name>', 'as --environment').hideHelp())
    .option('--kube-context <name>', 'of the kubeconfig, where not the current one')
    .option('--no-kubernetes', 'the registry only')
    .action(
      async ({
        model,
        env,
        environment: stage = env,
        kubeContext,
        kubernetes,
        ...format
      }: Options) => {
        const {data} = await context.client().get<{data: Item[]}>('/models', {environment: stage});
        const models = data.filter(({name}) => model === undefined || name === model);
        if (model !== undefined && models.length === 0) {
          const where = stage === undefined ? '' : ` in ${stage}`;
          throw new Failure('notFound', `there is no model "${model}"${where}`);
        }
        const cluster =
          kubernetes === false ? undefined : await clusterOf(context, environment, kubeContext);
        const items = await rowsOf(models, cluster);
        const strangers =
          cluster && model === undefined ? await cluster.strangers(objectsOf(data)) : [];
        const answer = {
          data: items,
          kubernetes: cluster ? {server: cluster.server, notRegistered: strangers} : null,
        };
        const columns = [...registryColumns, ...(cluster ? clusterColumns : [])];
        showList(context, format, {columns, items, answer});
        if (formatOf(context, format) === 'table') {
          showPods(context, items);
          context.err(strangers.map(({ref, reason}) => `${ref}: ${reason}\n`).join(''));
        }
      },
    );
};

const clusterOf = async (
  {err}: Context,
  environment: Environment,
  kubeContext: string | undefined,
): Promise<Cluster | undefined> => {
  const source = kubeSourceOf(environment, kubeContext);
  if (!source) {
    err(
      'no Kubernetes here (no kubeconfig, no account of a pod): this is what the registry knows\n',
    );
    return undefined;
  }
  return openCluster(source).catch(error => {
    throw new Failure('usage', `the kubeconfig: ${(error as Error).message}`, error);
  });
};

const objectsOf = (models: readonly Item[]) =>
  new Set(
    models.flatMap(({endpoints}) =>
      (endpoints as readonly Endpoint[]).flatMap(({object}) => object ?? []),
    ),
  );

/** One for each endpoint. Endpoints of one Service are looked for once. */
const rowsOf = async (models: readonly Item[], cluster: Cluster | undefined): Promise<Item[]> => {
  const looks = new Map<string, Promise<Seen>>();
  const look = (url: string, namespace: string | null) => {
    const place = cluster && placeOf(url, namespace);
    if (!cluster || !place) {
      return null;
    }
    const name = `${place.namespace}/${place.host}`;
    const seen = looks.get(name) ?? cluster.look(place);
    looks.set(name, seen);
    return seen;
  };
  return Promise.all(
    models.flatMap(({name, environment, status, namespace, endpoints}) =>
      (endpoints as readonly Endpoint[]).map(
        async ({url, health, healthAt, healthReason, object = null}) => ({
          model: name,
          environment,
          status,
          url,
          health,
          healthAt,
          healthReason,
          object,
          kubernetes: await look(url, (namespace ?? null) as string | null),
        }),
      ),
    ),
  );
};

/** Each namespace's pods once, then what Kubernetes warned of and what could not be seen. */
const showPods = (context: Context, items: readonly Item[]) => {
  const seen = [...new Set(items.flatMap(item => seenOf(item) ?? []))];
  const pods = seen.flatMap(({namespace, pods}) => pods.map(pod => ({namespace, ...pod})));
  if (pods.length > 0) {
    context.out('\n');
    showList(context, {}, {columns: podColumns, items: pods, answer: pods});
  }
  for (const {workloads, warnings, problem} of seen) {
    for (const {kind, name, reason} of workloads) {
      context.err(reason ? `${kind} ${name}: ${reason}\n` : '');
    }
    context.err([...warnings, ...(problem ? [problem] : [])].map(line => `${line}\n`).join(''));
  }
};
