/**
Chain: source and function as processes of their own, wired as knative/budget.yaml and knative/usage.yaml wire them.

In: which function, a topic, Kafka, a database. Out: the two processes, how many requests the function has committed, their end.
*/
import {randomBytes} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {parseAllDocuments} from 'yaml';
import {type Child, startChild} from '../child.ts';
import type {FunctionName} from './worker.ts';

export type Chain = Readonly<{
  function: Child;
  source: Child;
  /** Requests whose events were in committed batches, by the function's own page of metrics. */
  committed(): Promise<number>;
  stop(): Promise<void>;
}>;

/** What counts the events of committed batches, whatever became of them, and how many of a request a source sends. */
const countedBy: Readonly<Record<FunctionName, {pattern: RegExp; perRequest: number}>> = {
  budget: {pattern: /^sluice_budget_events_total\{.*\} (\d+)$/gm, perRequest: 2},
  usage: {pattern: /^sluice_usage_events_total\{.*\} (\d+)$/gm, perRequest: 1},
};

type Container = Readonly<{env: readonly {name: string; value?: string}[]}>;
type Manifest = Readonly<{
  kind: string;
  spec: {template: {spec: {containers: readonly Container[]}}};
}>;

/** What is written out in a manifest; what comes from a Secret is the bench's own. */
const environmentOf = (of: FunctionName, kind: 'Service' | 'ContainerSource') => {
  const documents = parseAllDocuments(readFileSync(`knative/${of}.yaml`, 'utf8'));
  const manifest = documents
    .map(document => document.toJS() as Manifest)
    .find(one => one.kind === kind);
  const env = manifest?.spec.template.spec.containers[0]?.env ?? [];
  return Object.fromEntries(
    env.flatMap(({name, value}) => (value === undefined ? [] : [[name, value]])),
  );
};

export const startChain = async ({
  of,
  topic,
  group = of,
  brokers,
  databaseUrl,
  log,
  profile,
}: {
  of: FunctionName;
  topic: string;
  group?: string;
  brokers: readonly string[];
  databaseUrl: string;
  /** A file's descriptor. */
  log: number;
  profile?: string | undefined;
}): Promise<Chain> => {
  const token = randomBytes(18).toString('hex');
  const nodeArguments = [
    // kafkajs sets timers of less than nothing, and Node tells of each.
    '--no-warnings',
    ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
  ];
  const common = {PORT: '0', DATABASE_URL: databaseUrl, SOURCE_TOKEN: token};
  const handler = await startChild({
    program: `functions/${of}/main.ts`,
    environment: {...environmentOf(of, 'Service'), ...common, ADMIN_KEY: token, K_SERVICE: of},
    nodeArguments,
    output: log,
  });
  const source = await startChild({
    program: 'events/source/main.ts',
    environment: {
      ...environmentOf(of, 'ContainerSource'),
      ...common,
      K_SINK: handler.url,
      SOURCE_KIND: 'kafka',
      SOURCE_TOPIC: topic,
      SOURCE_GROUP: group,
      SOURCE_CONSUMER: of,
      KAFKA_BROKERS: brokers.join(','),
    },
    nodeArguments,
    output: log,
  }).catch(async error => {
    await handler.stop();
    throw error;
  });
  return {
    function: handler,
    source,
    async committed() {
      const page = await (await fetch(`${handler.url}/metrics`)).text();
      const {pattern, perRequest} = countedBy[of];
      const events = [...page.matchAll(pattern)].reduce((sum, [, count]) => sum + Number(count), 0);
      return events / perRequest;
    },
    async stop() {
      await source.stop();
      await handler.stop();
    },
  };
};
