/**
Installation: the Sluice that the runner has installed on a cluster for all tests of `test/cluster/`, and what a test asks of it.

In: the test. Out: its URLs as clients and as other pods call them, the admin API, a pool a role, `kubectl`, its pods. It is shared: a
test makes an organisation and models of its own, and puts back what else it changes.
*/
import assert from 'node:assert/strict';
import type {ExecutionContext} from 'ava';
import OpenAI from 'openai';
import pg from 'pg';
import {createKubectl, type Kubectl} from '../cluster/kubectl.ts';
import type {Database} from '../cluster/stores.ts';
import {createWayIn, type WayIn, type WaysIn} from '../cluster/way-in.ts';
import {type Admin, createAdmin} from './admin.ts';
import {eventually} from './eventually.ts';

export const environmentName = 'SLUICE_TEST_INSTALLATION';

export type Description = WaysIn &
  Readonly<{
    kubeconfig: string;
    namespace: string;
    /** Of Helm: its name, and the values it was installed with. */
    release: Readonly<{name: string; values: object}>;
    image: string;
    /** Where pods reach this machine. */
    host: string;
    adminKey: string;
    sourceToken: string;
    database: Database;
    redisUrl: string;
    kafkaBrokers: string;
    /** A simulated model server on this machine, registered. */
    model: Readonly<{name: string; url: string}>;
  }>;

type PoolRole = 'superuser' | 'owner' | 'tenant' | 'gateway' | 'system';

export type Installation = Description &
  Readonly<{
    /** In the installation's namespace. */
    kubectl(...args: readonly string[]): Promise<string>;
    cluster: Kubectl;
    fetch: WayIn['fetch'];
    /** Of `/admin/v1/…`, `/v1/…`: as the function that answers it is called; in public only the front doors are. */
    urlOf: WayIn['urlOf'];
    admin: Admin;
    openai(apiKey: string): OpenAI;
    pool(role: PoolRole): pg.Pool;
    /** Names of the pods of a function, those that are going included; of all functions without a name. */
    pods(service?: string): Promise<readonly string[]>;
    untilZero(service: string, options?: {timeoutMs?: number}): Promise<void>;
    untilReady(service: string, options?: {timeoutMs?: number}): Promise<void>;
    /** A number of the model server's metrics, over all of its models. */
    modelCounter(name: string): Promise<number>;
  }>;

const minutes = 60_000;

export const readInstallation = (): Description => {
  const text = process.env[environmentName];
  if (!text) {
    throw new Error(
      `${environmentName} is not set: run this test by \`npm run test:cluster -- FILE\`, which installs Sluice on the cluster`,
    );
  }
  return JSON.parse(text);
};

export const openInstallation = (
  t: Pick<ExecutionContext, 'teardown'>,
  description: Description = readInstallation(),
): Installation => {
  const {kubeconfig, namespace, database, model} = description;
  const cluster = createKubectl(kubeconfig);
  const kubectl = (...args: readonly string[]) => cluster(['-n', namespace, ...args]);
  const wayIn = createWayIn(description);
  t.teardown(wayIn.close);
  const pods = async (service?: string) =>
    (
      await kubectl(
        ...['get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}'],
        ...['-l', `serving.knative.dev/service${service === undefined ? '' : `=${service}`}`],
      )
    )
      .split(' ')
      .filter(name => name !== '');
  return {
    ...description,
    kubectl,
    cluster,
    fetch: wayIn.fetch,
    urlOf: wayIn.urlOf,
    admin: createAdmin({url: '', adminKey: description.adminKey, fetch: wayIn.fetch}),
    openai: apiKey =>
      new OpenAI({
        baseURL: `${description.services.gateway?.url}/v1`,
        apiKey,
        maxRetries: 0,
        fetch: wayIn.fetch,
      }),
    pool: createPools(t, database),
    pods,
    untilZero: (service, {timeoutMs = 10 * minutes} = {}) =>
      eventually(async () => assert.deepEqual(await pods(service), []), {
        timeoutMs,
        intervalMs: 1_000,
      }),
    untilReady: async (service, {timeoutMs = 10 * minutes} = {}) => {
      await kubectl(
        ...['wait', '--for=condition=Ready', `ksvc/${service}`],
        `--timeout=${Math.round(timeoutMs / 1_000)}s`,
      );
    },
    modelCounter: name => readCounter(model.url, name),
  };
};

const createPools = (t: Pick<ExecutionContext, 'teardown'>, database: Database) => {
  const pools = new Map<PoolRole, pg.Pool>();
  t.teardown(async () => {
    await Promise.all([...pools.values()].map(pool => pool.end()));
  });
  return (role: PoolRole): pg.Pool => {
    const pool = pools.get(role) ?? new pg.Pool({connectionString: database[`${role}Url`], max: 2});
    if (!pools.has(role)) {
      pool.on('error', () => {});
      pools.set(role, pool);
    }
    return pool;
  };
};

const readCounter = async (url: string, name: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.split('\n').filter(line => new RegExp(`^${name}[ {]`).test(line));
  assert.ok(lines.length > 0, `the model server has no metric ${name}`);
  return lines.reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
};
