/**
Manifests install: Sluice by `kubectl apply` of the manifests, with another namespace and image.

In: the namespace, the image. Out: what was applied is there.
*/
import {readdirSync, readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {parseAllDocuments, stringify} from 'yaml';
import type {Kubectl} from './kubectl.ts';

// biome-ignore lint/suspicious/noExplicitAny: a Kubernetes object of any kind.
type Document = any;

const folder = fileURLToPath(new URL('../../knative', import.meta.url));

const adapted = (document: Document, {namespace, image}: {namespace: string; image: string}) => {
  const object = structuredClone(document);
  object.metadata.namespace = namespace;
  const pods = object.spec?.template?.spec ?? {};
  for (const container of [...(pods.containers ?? []), ...(pods.initContainers ?? [])]) {
    container.image = image;
    container.imagePullPolicy = 'IfNotPresent';
  }
  return object;
};

export const applyManifests = async (
  kubectl: Kubectl,
  place: {namespace: string; image: string},
) => {
  const objects = readdirSync(folder)
    .filter(name => name.endsWith('.yaml'))
    .sort()
    .flatMap(name => parseAllDocuments(readFileSync(`${folder}/${name}`, 'utf8')))
    .map(document => document.toJS())
    .filter(object => object !== null && !['Namespace', 'Job'].includes(object.kind));
  await kubectl(
    ['apply', '-f', '-'],
    objects.map(object => stringify(adapted(object, place))).join('---\n'),
  );
};
