/**
Chain: hello and world on a real Knative, from the manifests of `knative/`, in a namespace of the test's own.

In: `SLUICE_TEST_KNATIVE` and `SLUICE_TEST_IMAGE` (README.md). Out: the URL of the Broker, a receiver that is its dead letter sink
(`/dead`) and that of a Trigger without a filter (`/everything`), and what a test asks of the cluster. Of the manifests only the
namespace, the image, the least scale and the Broker's dead letter sink are others; the root file system is read-only.
*/
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {parseAllDocuments, stringify} from 'yaml';
import {kubectl, openKnative} from '../dataplane/knative.ts';
import {binary, post} from '../dataplane/post.ts';
import {type Receiver, startReceiver} from '../dataplane/receiver.ts';
import {settle} from '../dataplane/settle.ts';
import {eventually} from '../helpers/eventually.ts';

// biome-ignore lint/suspicious/noExplicitAny: a Kubernetes object of any kind.
type Document = any;

export type Chain = Readonly<{
  namespace: string;
  receiver: Receiver;
  /** Asks for a greeting by an event; resolves with the milliseconds until hello and world had answered. */
  greet(id: string): Promise<{hello: number; world: number}>;
  post(id: string, data: unknown): Promise<{status: number}>;
  /** Names of the pods of both Services, those that are going included. */
  pods(): Promise<readonly string[]>;
  kubectl(...args: readonly string[]): Promise<string>;
}>;

const read = (file: string): Document[] =>
  parseAllDocuments(
    readFileSync(fileURLToPath(new URL(`../../knative/${file}.yaml`, import.meta.url)), 'utf8'),
  ).map(document => document.toJS());

type Place = Readonly<{namespace: string; receiver: Receiver; minScale: number}>;

const adapted = (document: Document, {namespace, receiver, minScale}: Place): Document => {
  const adaptedSpec = structuredClone(document);
  adaptedSpec.metadata.namespace = namespace;
  if (document.spec.template?.metadata) {
    const {annotations} = adaptedSpec.spec.template.metadata;
    annotations['autoscaling.knative.dev/min-scale'] = String(minScale);
  }
  if (document.kind === 'Broker') {
    adaptedSpec.spec.delivery.deadLetterSink = {uri: `${receiver.url}/dead`};
  }
  for (const container of adaptedSpec.spec.template?.spec.containers ?? []) {
    container.image = process.env.SLUICE_TEST_IMAGE;
    container.imagePullPolicy = 'IfNotPresent';
    container.securityContext.readOnlyRootFilesystem = true;
  }
  return adaptedSpec;
};

const manifests = (place: Place): string =>
  [
    ...read('10-broker').filter(({metadata}) => metadata.name === 'default'),
    ...read('hello'),
    ...read('world'),
    {
      apiVersion: 'eventing.knative.dev/v1',
      kind: 'Trigger',
      metadata: {name: 'everything'},
      spec: {broker: 'default', subscriber: {uri: `${place.receiver.url}/everything`}},
    },
  ]
    .map(document => stringify(adapted(document, place)))
    .join('---\n');

export const openChain = async (t: ExecutionContext, {minScale = 0} = {}): Promise<Chain> => {
  const carrier = await openKnative(t);
  const {namespace} = carrier;
  const receiver = await startReceiver(t, {host: carrier.host});
  const inNamespace = (...args: readonly string[]) => kubectl(['-n', namespace, ...args]);
  const url = await carrier.apply(manifests({namespace, receiver, minScale}));
  await inNamespace('wait', '--for=condition=Ready', '--timeout=600s', 'ksvc', '--all');
  await settle({carrier, receiver, url});
  const ask = (id: string, data: unknown) =>
    post(url, binary(id, {type: 'dev.sluice.hello.requested.v1'}), JSON.stringify(data));
  return {
    namespace,
    receiver,
    post: ask,
    kubectl: inNamespace,
    pods: async () =>
      (await inNamespace('get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}'))
        .split(' ')
        .filter(name => name !== ''),
    async greet(id) {
      const started = performance.now();
      const sent = ask(id, {name: id});
      const arrival = (type: string, greeting: string) =>
        eventually(
          () => {
            const found = receiver
              .at('/everything')
              .find(
                ({headers, body}) =>
                  headers['ce-type'] === type && JSON.parse(String(body)).greeting === greeting,
              );
            if (!found) {
              throw new Error(`no ${type} for ${id} has arrived`);
            }
            return found.at - started;
          },
          {timeoutMs: 300_000},
        );
      const hello = await arrival('dev.sluice.hello.greeted.v1', `Hello, ${id}!`);
      const world = await arrival('dev.sluice.world.greeted.v1', `Hello, ${id}! Hello, world!`);
      const {status} = await sent;
      if (status < 200 || status > 299) {
        throw new Error(`the Broker answered ${status}`);
      }
      return {hello, world};
    },
  };
};
