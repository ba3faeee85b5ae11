/**
Installation: Sluice on an empty cluster, for all tests that share it.

In: a kubeconfig of a cluster with Knative; the environment (README.md). Out: a description for `test/helpers/installation.ts`, how
long it took until a client had its first token, and an end that leaves nothing behind. PostgreSQL, Redis and a simulated model
server run on this machine; Kafka is the cluster's unless said.
*/
import {randomBytes} from 'node:crypto';
import {startSimulatedModel} from '../../knative/local/simulated-model/server.ts';
import type {Description} from '../helpers/installation.ts';
import {requireGoTool} from '../runner/go-tools.ts';
import type {Installing} from '../runner/install.ts';
import {findAddress} from './address.ts';
import {provideImage} from './cluster-image.ts';
import {askFirstToken} from './first-token.ts';
import {startKafkaLog} from './kafka-log.ts';
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

const readyMaxSeconds = 600;
/** In an upgrade every function has two revisions for a while, and a small node has to have room for both. */
const resources = {requests: {cpu: '5m', memory: '64Mi'}, limits: {memory: '1Gi'}};
const smallRequests = {functionDefaults: {resources}, sourceDefaults: {resources}};

/** What is begun here is ended in the opposite order, all of it, whatever fails on the way. */
const openStops = () => {
  const stops: (() => Promise<unknown>)[] = [];
  let ended = false;
  return {
    /** What begins when all is ended already, because nobody could stop it, ends at once. */
    push: (end: () => Promise<unknown>) => {
      if (ended) {
        void end().catch(() => {});
      } else {
        stops.push(end);
      }
    },
    async stop() {
      ended = true;
      const errors: unknown[] = [];
      for (const end of stops.splice(0).reverse()) {
        await end().catch(error => errors.push(error));
      }
      if (errors.length > 0) {
        throw new AggregateError(errors, `what was installed could not be removed: ${errors[0]}`);
      }
    },
  };
};

/** Rejects when the run is told to end: what is waited for may take minutes. */
const whenAborted = (signal: AbortSignal | undefined) =>
  new Promise<never>((_resolve, reject) => {
    const refuse = () => reject(new Error('the installation was told to stop while it started'));
    if (signal?.aborted) {
      refuse();
    }
    signal?.addEventListener('abort', refuse, {once: true});
  });

export const startInstallation = async (
  kubeconfig: string,
  installing: Installing = {},
): Promise<Installed> => {
  const stops = openStops();
  try {
    const installed = await Promise.race([
      installOn(kubeconfig, stops.push, installing),
      whenAborted(installing.signal),
    ]);
    return {...installed, stop: stops.stop};
  } catch (error) {
    // What went wrong first is what is told.
    await stops.stop().catch(() => {});
    throw error;
  }
};

const installOn = async (
  kubeconfig: string,
  onStop: (end: () => Promise<unknown>) => void,
  installing: Installing,
): Promise<Omit<Installed, 'stop'>> => {
  const kubectl = createKubectl(kubeconfig);
  const around = await startSurroundings({kubeconfig, kubectl, onStop}, installing);
  const {namespace, known, image} = around;
  const release: Release = {kubeconfig, namespace, name: 'sluice'};
  const values = {image: imageValues(image), ...smallRequests};
  const begun = performance.now();
  const seconds = () => Math.round((performance.now() - begun) / 100) / 10;
  onStop(() => uninstall(release));
  await install(release, values);
  const description: Description = {
    ...(await findWaysIn(kubectl, namespace)),
    kubeconfig,
    namespace,
    release: {name: release.name, values},
    image,
    host: around.host,
    adminKey: known.adminKey,
    sourceToken: known.sourceToken,
    database: around.database,
    redisUrl: around.redisUrl,
    kafkaBrokers: around.kafkaBrokers,
    model: {name: 'simulated-chat', url: around.modelUrl},
  };
  await askFirstToken(description);
  const firstToken = seconds();
  await waitUntilReady(kubectl, namespace);
  return {description, measured: {firstToken, ready: seconds()}};
};

/** What an operator has before: stores, a log, a model server, a namespace with the Secret, an image. */
const startSurroundings = async (
  {
    kubeconfig,
    kubectl,
    onStop,
  }: {
    kubeconfig: string;
    kubectl: Kubectl;
    onStop: (end: () => Promise<unknown>) => void;
  },
  installing: Installing,
) => {
  const address = await findAddress(kubectl);
  const {host} = address;
  const image = await provideImage(kubeconfig, installing);
  // Built before the clock runs.
  await requireGoTool('helm', installing);
  const stores = await startStores(address, installing);
  onStop(stores.stop);
  const log = await startKafkaLog({kubectl, host}, installing);
  onStop(log.stop);
  const model = await startSimulatedModel({host});
  onStop(model.close);
  const namespace = `sluice-${randomBytes(4).toString('hex')}`;
  await kubectl(['create', 'namespace', namespace]);
  onStop(() => removeNamespace(kubectl, namespace));
  const known = makeKnown();
  // Empty: the chart's Job makes the roles and the schema.
  const database = await stores.createDatabase({migrated: false});
  const kafkaBrokers = log.brokers;
  const {redisUrl} = stores;
  await kubectl(
    ['apply', '-f', '-'],
    JSON.stringify(secretOf({namespace, known, database, redisUrl, kafkaBrokers})),
  );
  return {host, image, namespace, known, database, redisUrl, kafkaBrokers, modelUrl: model.url};
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
  kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--timeout=900s']);
