/**
Server side: asks a cluster what it thinks of an object, and has it make none.

In: a kubeconfig, a namespace of the test's own, which it removes. Out: nothing, or the API server's words: its schemas (an unknown
field is a refusal too), the defaults and checks of Knative's webhooks, and the standards for pods that the namespace enforces.
*/
import {randomBytes} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {parseAllDocuments} from 'yaml';
import {createKubectl} from './kubectl.ts';

// biome-ignore lint/suspicious/noExplicitAny: a Kubernetes object of any kind.
export type Document = any;

const root = fileURLToPath(new URL('../../knative', import.meta.url));

/** Of the folder, or of one below it. */
export const objectsOf = (folder = '.'): {at: string; object: Document}[] =>
  readdirSync(join(root, folder))
    .filter(name => name.endsWith('.yaml'))
    .sort()
    .flatMap(name =>
      parseAllDocuments(readFileSync(join(root, folder, name), 'utf8'))
        .map(document => document.toJS())
        .filter(object => object !== null)
        .map(object => ({
          at: `${join(folder, name)} ${object.kind} ${object.metadata.name}`,
          object,
        })),
    );

export const openServerSide = async (t: ExecutionContext) => {
  const kubectl = createKubectl(process.env.SLUICE_TEST_KNATIVE ?? '');
  const namespace = `manifests-${randomBytes(4).toString('hex')}`;
  const {object: own} = objectsOf().find(({object}) => object.kind === 'Namespace') as {
    object: Document;
  };
  await kubectl(
    ['create', '-f', '-'],
    JSON.stringify({...own, metadata: {...own.metadata, name: namespace}}),
  );
  t.teardown(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));
  // Knative tries whether a pod would be made, and for one whose account is not there it would not.
  for (const {object} of objectsOf().filter(({object}) => object.kind === 'ServiceAccount')) {
    const account = {...object, metadata: {...object.metadata, namespace}};
    await kubectl(['create', '-f', '-'], JSON.stringify(account));
  }
  const moved = (object: Document): Document => {
    const {namespace: its, name} = object.metadata;
    const metadata =
      its === undefined ? {...object.metadata, name: `${name}-${namespace}`} : object.metadata;
    const text = JSON.stringify({...object, metadata});
    return JSON.parse(text.replaceAll('"namespace":"sluice"', `"namespace":"${namespace}"`));
  };
  const refusalOf = (...objects: readonly Document[]): Promise<string | undefined> =>
    kubectl(
      ['create', '--dry-run=server', '--validate=strict', '-f', '-'],
      JSON.stringify({apiVersion: 'v1', kind: 'List', items: objects.map(moved)}),
    ).then(
      () => undefined,
      error => String(error.stderr || error),
    );
  return {namespace, refusalOf};
};

/** The pod that is made of it in the end, without what Knative adds. */
export const podOf = (object: Document): Document => {
  const {template} = object.spec;
  const {containerConcurrency, timeoutSeconds, ...spec} = template.spec;
  const ports = {readinessProbe: undefined, livenessProbe: undefined};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${object.kind}-${object.metadata.name}`.toLowerCase(),
      namespace: object.metadata.namespace,
    },
    spec: {
      ...spec,
      containers: spec.containers.map((container: Document) => ({
        name: 'user-container',
        ...container,
        // Of a Knative Service they have no port yet.
        ...(object.kind === 'Service' ? ports : {}),
      })),
    },
  };
};
