/**
Services: the PostgreSQL, Redis and Kafka that all tests of a run share, and the installation of those on a cluster, started beside each
other.

In: which of them. Out: the environment that the helpers read, and how to end all. One that does not start ends the others.
*/
import type {Installing} from './install.ts';
import type {Service} from './needs.ts';
import {ServiceFailed} from './service-failed.ts';
import {say, seconds} from './stage.ts';

type Started = Readonly<{variable: string; value: unknown; stop(): Promise<void>}>;

export type Services = Readonly<{environment: Record<string, string>; stop(): Promise<void>}>;

/** Loaded when needed: what a run of unit tests does not use shall not slow its start. */
const start: Record<Service, (installing: Installing) => Promise<Started>> = {
  database: async () => {
    const {environmentName: variable} = await import('../helpers/database.ts');
    const {startTestDatabase} = await import('./database.ts');
    const {environment: value, stop} = await startTestDatabase();
    return {variable, value, stop};
  },
  redis: async installing => {
    const {environmentName: variable} = await import('../helpers/redis.ts');
    const {startRedisServer} = await import('./redis.ts');
    const {url, remove: stop} = await startRedisServer(installing);
    return {variable, value: {url}, stop};
  },
  kafka: async installing => {
    const {environmentName: variable} = await import('../helpers/kafka.ts');
    const {startKafkaServer} = await import('./kafka.ts');
    const {brokers, remove: stop} = await startKafkaServer(installing);
    return {variable, value: {brokers}, stop};
  },
  installation: async installing => {
    const {environmentName: variable} = await import('../helpers/installation.ts');
    const living = process.env[variable];
    if (living) {
      return {variable, value: JSON.parse(living), stop: async () => {}};
    }
    const {startInstallation} = await import('../cluster/installation.ts');
    const kubeconfig = process.env.SLUICE_TEST_KNATIVE ?? '';
    const {description: value, measured, stop} = await startInstallation(kubeconfig, installing);
    say(
      `installed: the first token after ${measured.firstToken} s, all Ready after ${measured.ready} s`,
    );
    return {variable, value, stop};
  },
};

export const startServices = async (
  needed: readonly Service[],
  signal: AbortSignal,
): Promise<Services> => {
  const started: Started[] = [];
  const stop = async () => {
    await Promise.all(started.map(service => service.stop()));
  };
  const results = await Promise.allSettled(
    needed.map(async name => {
      const begun = performance.now();
      try {
        started.push(await start[name]({log: say, signal}));
      } catch (error) {
        // A sentence for a person where there is one, a stack where nobody foresaw it.
        const {name: kind, message, stack} = error as Error;
        throw new ServiceFailed(`${name}: ${kind === 'Error' ? stack : message}`, {cause: error});
      }
      say(`passed  ${name} (${seconds(begun)})`);
    }),
  );
  const failures = results.filter(result => result.status === 'rejected');
  if (failures.length > 0) {
    await stop();
    throw new ServiceFailed(failures.map(({reason}) => reason.message).join('\n'));
  }
  return {
    environment: Object.fromEntries(
      started.map(({variable, value}) => [variable, JSON.stringify(value)]),
    ),
    stop,
  };
};
