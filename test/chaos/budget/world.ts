/**
World: everything that a storm goes over, started once: servers, model servers, gateways, functions, sources.

In: a seed for chance, the cap, the fault to plant. Out: the processes by name, the servers, who the tenant is, and the end of all.
Every process is started again when it ends, as a kubelet would.
*/
import {randomBytes} from 'node:crypto';
import pg from 'pg';
import {freePort} from '../../runner/server.ts';
import {type KeptProcess, keepProcess} from '../process.ts';
import {randomFrom} from '../random.ts';
import type {BreakName} from './breaks.ts';
import type {Helper} from './plan.ts';
import {startProxy} from './proxy.ts';
import {seedTenant} from './seed.ts';
import {type Servers, startServers} from './servers.ts';
import {gatewayCount, lives, models} from './terms.ts';

export type Helpers = Readonly<Record<Helper, KeptProcess>>;
export type World = Awaited<ReturnType<typeof startWorld>>;

const root = new URL('../../../', import.meta.url);
const program = (path: string) => new URL(path, root);
const preload = (name: string) => new URL(name, import.meta.url).href;
const token = randomBytes(18).toString('hex');

type Start = Readonly<{
  name: string;
  path: string;
  environment: Readonly<Record<string, string>>;
  preloads?: readonly string[];
}>;

/** `fault`: planted into every process of ours as it is loaded. */
export const starterOf = (fault: BreakName | undefined) => (start: Start) =>
  keepProcess({
    name: start.name,
    program: program(start.path),
    nodeArguments: [
      ...(fault === undefined ? [] : ['--import', preload('plant.ts')]),
      ...(start.preloads ?? []).flatMap(name => ['--import', preload(name)]),
    ],
    environment: {
      LOG_LEVEL: 'warn',
      NODE_COMPILE_CACHE: program('node_modules/.cache/sluice').pathname,
      ...(fault === undefined ? {} : {STORM_BREAK: fault}),
      ...start.environment,
    },
  });

export type Starter = ReturnType<typeof starterOf>;

/** Functions and sources on a database; `sinkOf` names where a source sends what it reads. */
export const startHelpers = (
  start: Starter,
  {
    databaseUrl,
    brokers,
    ports,
    sinkOf,
  }: {
    databaseUrl: string;
    brokers: readonly string[];
    ports: Readonly<{budget: number; usage: number}>;
    sinkOf: (name: string) => string;
  },
): Helpers => {
  const shared = {DATABASE_URL: databaseUrl, SOURCE_TOKEN: token};
  const kafka = {KAFKA_BROKERS: brokers.join(',')};
  const source = (group: 'budget' | 'usage') =>
    start({
      name: `source-${group}`,
      path: 'events/source/main.ts',
      environment: {
        ...shared,
        ...kafka,
        SOURCE_KIND: 'kafka',
        SOURCE_TOPIC: 'sluice.usage',
        SOURCE_GROUP: group,
        SOURCE_CONSUMER: `storm-${group}`,
        SOURCE_BATCH_MAX: '200',
        SOURCE_ORDERED: 'true',
        SOURCE_BACKOFF_MAX_MS: '500',
        SOURCE_TIMEOUT_MS: '10000',
        K_SINK: sinkOf(group),
        PORT: '0',
      },
    });
  return {
    budget: start({
      name: 'budget',
      path: 'functions/budget/main.ts',
      environment: {
        ...shared,
        PORT: String(ports.budget),
        LEASE_TTL_MS: String(lives.leaseTtlMs),
        UNSETTLED_GRACE_MS: String(lives.unsettledGraceMs),
      },
    }),
    usage: start({
      name: 'usage',
      path: 'functions/usage/main.ts',
      environment: {...shared, PORT: String(ports.usage), ADMIN_KEY: token},
    }),
    'source-budget': source('budget'),
    'source-usage': source('usage'),
    'source-outbox': start({
      name: 'source-outbox',
      path: 'events/source/main.ts',
      environment: {
        ...shared,
        ...kafka,
        SOURCE_KIND: 'outbox',
        K_SINK: sinkOf('default'),
        PORT: '0',
      },
    }),
  };
};

const startModels = async (start: Starter) => {
  const started = await Promise.all(
    models.map(async model => {
      const port = await freePort();
      const kept = start({
        name: model.name,
        path: 'knative/local/simulated-model/main.ts',
        environment: {
          PORT: String(port),
          MODELS: `${model.name}:8192`,
          DEFAULT_TOKENS: String(model.tokens),
          TOKEN_DELAY_MS: String(model.tokenDelayMs),
          FIRST_TOKEN_DELAY_MS: '100',
          USAGE: model.usage,
        },
      });
      return {kept, url: `http://127.0.0.1:${port}`};
    }),
  );
  return {processes: started.map(({kept}) => kept), urls: started.map(({url}) => url)};
};

const startGateways = async (start: Starter, {postgres, kafka, redis}: Servers) => {
  const ports = await Promise.all(Array.from({length: gatewayCount}, freePort));
  return ports.map((port, index) => ({
    port,
    process: start({
      name: `gateway-${index}`,
      path: 'functions/gateway/main.ts',
      preloads: ['clock.ts'],
      environment: {
        PORT: String(port),
        ENVIRONMENT: 'development',
        DATABASE_URL: postgres.url('gateway'),
        KAFKA_BROKERS: kafka.brokers.join(','),
        REDIS_URL: redis.url,
        LEASE_TTL_MS: String(lives.leaseTtlMs),
        REQUEST_TIMEOUT_MS: String(lives.requestMs),
        UNSETTLED_GRACE_MS: String(lives.unsettledGraceMs),
      },
    }),
  }));
};

export const startWorld = async ({
  seed,
  limitNanos,
  fault,
  say,
}: {
  seed: number;
  limitNanos: number;
  fault?: BreakName;
  say: (line: string) => void;
}) => {
  const ends: (() => unknown)[] = [];
  const stop = async () => {
    for (const end of ends.splice(0).reverse()) {
      await end();
    }
  };
  try {
    const servers = await startServers();
    ends.push(servers.remove);
    say('PostgreSQL, Kafka and Redis serve');
    const start = starterOf(fault);
    const simulated = await startModels(starterOf(undefined));
    ends.push(() => Promise.all(simulated.processes.map(one => one.stop())));
    const client = new pg.Client({connectionString: servers.postgres.url('superuser')});
    await client.connect();
    const tenant = await seedTenant(client, {limitNanos, urls: simulated.urls});
    await client.end();
    const ports = {budget: await freePort(), usage: await freePort()};
    const proxy = await startProxy({ports, random: randomFrom(seed ^ 0x5bd1e995)});
    ends.push(proxy.close);
    const helpers = startHelpers(start, {
      databaseUrl: servers.postgres.url('system'),
      brokers: servers.kafka.brokers,
      ports,
      sinkOf: proxy.url,
    });
    const gateways = await startGateways(start, servers);
    const ours = [...Object.values(helpers), ...gateways.map(gateway => gateway.process)];
    ends.push(() => Promise.all(ours.map(one => one.stop())));
    await Promise.race([
      Promise.all([...ours, ...simulated.processes].map(one => one.listening())),
      failedStart(ours),
    ]);
    say('gateways, functions and sources listen');
    return {servers, tenant, proxy, helpers, gateways, ours, ports, start, stop};
  } catch (error) {
    await stop();
    throw error;
  }
};

const startsMax = 3;

/** Rejects when somebody cannot start: a fault whose text is not there any more, most likely. */
const failedStart = async (processes: readonly KeptProcess[]): Promise<never> => {
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 200));
    const failed = processes.find(one => one.endings.length >= startsMax);
    if (failed) {
      throw new Error(`${failed.name} does not start:\n${failed.output()}`);
    }
  }
};
