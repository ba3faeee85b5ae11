/**
Chain: source and function as processes of their own, wired as knative/budget.yaml and knative/usage.yaml wire them.

In: which function, a topic, Kafka, a database. Out: the two processes, how many events the function has committed, their end.
*/
import {randomBytes} from 'node:crypto';
import {type Child, startChild} from '../child.ts';
import type {FunctionName} from './worker.ts';

export type Chain = Readonly<{
  function: Child;
  source: Child;
  /** Events of committed batches, by the function's own page of metrics. */
  committed(): Promise<number>;
  stop(): Promise<void>;
}>;

/** What counts the events of committed batches, whatever became of them. */
const countedBy: Readonly<Record<FunctionName, RegExp>> = {
  budget: /^sluice_budget_events_total\{.*\} (\d+)$/gm,
  usage: /^sluice_usage_events_total\{.*\} (\d+)$/gm,
};

/** As in the manifests. */
const isOrdered: Readonly<Record<FunctionName, boolean>> = {budget: true, usage: false};

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
    environment: {...common, ADMIN_KEY: token, K_SERVICE: of},
    nodeArguments,
    output: log,
  });
  const source = await startChild({
    program: 'events/source/main.ts',
    environment: {
      ...common,
      K_SINK: handler.url,
      SOURCE_KIND: 'kafka',
      SOURCE_TOPIC: topic,
      SOURCE_GROUP: group,
      SOURCE_CONSUMER: of,
      SOURCE_BATCH_MAX: '500',
      SOURCE_ORDERED: String(isOrdered[of]),
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
      return [...page.matchAll(countedBy[of])].reduce((sum, [, count]) => sum + Number(count), 0);
    },
    async stop() {
      await source.stop();
      await handler.stop();
    },
  };
};
