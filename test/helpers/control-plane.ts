/**
Control plane: the manifests of `knative/`, and what the chart adds to each of them.

In: rendered objects. Out: the manifests as objects; an object without what the chart says of its release, and without its hooks.
*/
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseAllDocuments} from 'yaml';
import type {KubernetesObject} from './helm.ts';

const folder = fileURLToPath(new URL('../../knative', import.meta.url));

export const environments = ['development', 'staging', 'production'] as const;

/** Labels that every object has whatever the values. */
export const marks = {
  'app.kubernetes.io/name': 'sluice',
  'app.kubernetes.io/part-of': 'sluice',
  'app.kubernetes.io/managed-by': 'Helm',
};

const markNames = [
  ...Object.keys(marks),
  'app.kubernetes.io/instance',
  'app.kubernetes.io/version',
  'helm.sh/chart',
  'sluice.dev/environment',
];

/** Of `knative/`, or of a folder below it. */
export const readManifests = (part = '.'): KubernetesObject[] =>
  readdirSync(join(folder, part))
    .filter(name => name.endsWith('.yaml'))
    .sort()
    .flatMap(name => parseAllDocuments(readFileSync(join(folder, part, name), 'utf8')))
    .map(document => document.toJS())
    .filter(object => object !== null);

/** `undefined` instead of an empty map: a manifest does not write one. */
const without = (
  texts: Record<string, string> | undefined,
  isGone: (name: string, value: string) => boolean,
) => {
  const left = Object.entries(texts ?? {}).filter(([name, value]) => !isGone(name, value));
  return left.length > 0 ? Object.fromEntries(left) : undefined;
};

const withMetadata = (object: KubernetesObject, key: string, value: object | undefined) => {
  const {[key]: _, ...metadata} = object.metadata;
  return {...object, metadata: value === undefined ? metadata : {...metadata, [key]: value}};
};

/** What a manifest itself says of being part of Sluice stays out of both sides, so a mark is gone whoever wrote it. */
export const withoutMarks = (object: KubernetesObject): KubernetesObject =>
  withMetadata(
    object,
    'labels',
    without(object.metadata.labels, name => markNames.includes(name)),
  );

export const withoutHooks = (object: KubernetesObject): KubernetesObject =>
  withMetadata(
    object,
    'annotations',
    without(object.metadata.annotations, name =>
      /^(helm\.sh\/hook|argocd\.argoproj\.io\/(hook|sync-wave))/.test(name),
    ),
  );
