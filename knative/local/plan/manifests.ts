/**
Manifests: reads the files that Knative reads on a cluster, and keeps where everything stands.

In: texts of YAML files, each with any number of documents. Out: resources of the kinds that are run here, or a
ManifestError that lists every complaint with file and line. A kind or field that nothing here honours is refused, because a
field that is silently ignored works on one side only. What concerns the cluster alone (image, probes, resources, security)
is accepted and has no effect.
*/
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {isMap, LineCounter, parseAllDocuments} from 'yaml';
import {type Fault, faultsOf} from './manifest-shapes.ts';

export type Path = readonly (string | number)[];

export type Resource = Readonly<{
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
  annotations: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  spec: Readonly<Record<string, unknown>>;
  data: Readonly<Record<string, unknown>>;
  /** `file:line` of a field, or of the nearest thing around it. */
  at(...path: Path): string;
}>;

export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly complaints: readonly string[];

  constructor(complaints: readonly string[]) {
    super(
      `the manifests have ${complaints.length} fault(s):\n${complaints.map(line => `  ${line}`).join('\n')}`,
    );
    this.complaints = complaints;
  }
}

export type ManifestFile = Readonly<{file: string; text: string}>;

/** The files of a folder, in the order of their names, as `kubectl apply -f` takes them. */
export const readManifestFiles = async (folder: string): Promise<ManifestFile[]> => {
  const names = (await readdir(folder)).filter(name => /\.ya?ml$/.test(name)).sort();
  const files = names.map(async name => ({
    file: join(folder, name),
    text: await readFile(join(folder, name), 'utf8'),
  }));
  return Promise.all(files);
};

export const readManifests = async (folder: string): Promise<Resource[]> =>
  parseManifests(await readManifestFiles(folder));

export const parseManifests = (files: readonly ManifestFile[]): Resource[] => {
  const complaints: string[] = [];
  const resources: Resource[] = [];
  for (const {file, text} of files) {
    const lines = new LineCounter();
    const lineAt = (offset: number) => lines.linePos(offset).line;
    for (const document of parseAllDocuments(text, {lineCounter: lines})) {
      for (const error of document.errors) {
        complaints.push(`${file}:${lineAt(error.pos[0])}: ${error.message.split('\n')[0]}`);
      }
      if (document.errors.length > 0 || document.contents === null) {
        continue;
      }
      const at = (...path: Path) => {
        for (let length = path.length; length >= 0; length -= 1) {
          const offset = offsetOf(document, path.slice(0, length));
          if (offset !== undefined) {
            return `${file}:${lineAt(offset)}`;
          }
        }
        return file;
      };
      const body: unknown = document.toJS();
      const faults = faultsOf(body);
      complaints.push(...faults.map(({path, reason}: Fault) => `${at(...path)}: ${reason}`));
      if (faults.length === 0) {
        resources.push(resourceOf(body as Body, at));
      }
    }
  }
  complaints.push(...duplicates(resources));
  if (complaints.length > 0) {
    throw new ManifestError(complaints);
  }
  return resources;
};

type Body = {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    annotations?: Record<string, string>;
    labels?: Record<string, string>;
  };
  spec?: Record<string, unknown>;
  data?: Record<string, unknown>;
};

const resourceOf = (
  {apiVersion, kind, metadata, spec = {}, data = {}}: Body,
  at: Resource['at'],
): Resource => ({
  apiVersion,
  kind,
  namespace: metadata.namespace ?? 'default',
  name: metadata.name,
  annotations: metadata.annotations ?? {},
  labels: metadata.labels ?? {},
  spec,
  data,
  at,
});

/** Where the key of a field stands; where there is no key (in a list), the value. */
const offsetOf = (
  document: ReturnType<typeof parseAllDocuments>[number],
  path: Path,
): number | undefined => {
  if (!('getIn' in document)) {
    return undefined;
  }
  const parent = path.length === 0 ? undefined : document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const pair = parent.items.find(item => String(item.key) === String(path.at(-1)));
    return (pair?.key as {range?: [number]} | undefined)?.range?.[0];
  }
  const node = path.length === 0 ? document.contents : document.getIn(path, true);
  return (node as {range?: [number]} | undefined)?.range?.[0];
};

const duplicates = (resources: readonly Resource[]) => {
  const seen = new Map<string, Resource>();
  return resources.flatMap(resource => {
    const key = `${resource.kind} ${resource.namespace}/${resource.name}`;
    const first = seen.get(key);
    seen.set(key, resource);
    return first ? [`${resource.at()}: ${key} is already at ${first.at()}`] : [];
  });
};
