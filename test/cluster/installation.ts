/**
Installation: Sluice on an empty cluster, for all tests that share it.

In: a kubeconfig of a cluster with Knative; the environment (README.md). Out: a description for `test/helpers/installation.ts`, how
long it took until a client had its first token, and an end that leaves nothing behind. PostgreSQL, Redis and a simulated model
server run on this machine; Kafka is the cluster's.
*/
import {randomBytes} from 'node:crypto';
import {existsSync} from 'node:fs';
import {startSimulatedModel} from '../../knative/local/simulated-model/server.ts';
import type {Description} from '../helpers/installation.ts';
import type {Installing} from '../runner/install.ts';
import {findAddress} from './address.ts';
import {provideImage} from './cluster-image.ts';
import {askFirstToken} from './first-token.ts';
import {createKubectl, type Kubectl} from './kubectl.ts';
import {imageValues, install, type Release, uninstall} from './release.ts';
import {makeKnown, secretOf} from './secret.ts';
import {startStores} from './stores.ts';
import {findWaysIn} from './ways-in.ts';

export type Installed = Readonly<{
  description: Description;
  /** In seconds, from the command that installs. */
  measured: Readonly<{firstToken: number; ready: number}>;
  stop(): Promise<void>;
}>;

const imageName = 'dev.local/sluice:cluster-tests';
const readyMaxSeconds = 600;

export const startInstallation = async (
  kubeconfig: string,
  installing: Installing = {},
): Promise<Installed> => {
  const kubectl = createKubectl(kubeconfig);
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) {
      await end();
    }
  };
  try {
    const address = await findAddress(kubectl);
    const image = await provideImage({kubeconfig, name: imageName}, installing);
    const stores = await startStores(address, installing);
    stops.push(stores.stop);
    const model = await startSimulatedModel({host: address.host});
    stops.push(model.close);
    const namespace = `sluice-${randomBytes(4).toString('hex')}`;
    await kubectl(['create', 'namespace', namespace]);
    stops.push(() => removeNamespace(kubectl, namespace));
    const known = makeKnown();
    const kafkaBrokers =
      process.env.SLUICE_TEST_KAFKA_BROKERS ?? 'kafka.kafka.svc.cluster.local:9092';
    // Empty: the chart's Job makes the roles and the schema.
    const database = await stores.createDatabase({
      migrated: !existsSync('knative/05-migrate.yaml'),
    });
    const secret = secretOf({
      namespace,
      known,
      database,
      redisUrl: stores.redisUrl,
      kafkaBrokers,
    });
    await kubectl(['apply', '-f', '-'], JSON.stringify(secret));
    const begun = performance.now();
    const seconds = () => Math.round((performance.now() - begun) / 100) / 10;
    const release: Release = {kubeconfig, namespace, name: 'sluice'};
    const values = {image: imageValues(image)};
    stops.push(() => uninstall(release));
    await install(release, values);
    const description: Description = {
      ...(await findWaysIn(kubectl, namespace)),
      kubeconfig,
      namespace,
      release: {name: release.name, values},
      image,
      host: address.host,
      adminKey: known.adminKey,
      sourceToken: known.sourceToken,
      database,
      redisUrl: stores.redisUrl,
      kafkaBrokers,
      model: {name: 'simulated-chat', url: model.url},
    };
    await askFirstToken(description);
    const firstToken = seconds();
    await waitUntilReady(kubectl, namespace);
    return {description, measured: {firstToken, ready: seconds()}, stop};
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
};

const waitUntilReady = async (kubectl: Kubectl, namespace: string) => {
  for (const kind of ['brokers.eventing.knative.dev', 'ksvc', 'triggers', 'containersources']) {
    await kubectl([
      ...['-n', namespace, 'wait', '--for=condition=Ready', `--timeout=${readyMaxSeconds}s`],
      ...[kind, '--all'],
    ]);
  }
};

const removeNamespace = (kubectl: Kubectl, namespace: string) =>
  kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=300s']);
